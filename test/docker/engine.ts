/**
 * A Docker engine of our own, from Debian's packages extracted into a folder: nothing is installed, nothing of the
 * machine's network is touched (no bridge, no iptables: containers use the host's network), nothing is left behind.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, open, readFile, readdir, rm, rmdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as passed } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)
const UP_WITHIN_MS = 60_000
const POLL_MS = 50

export interface Engine {
  /** Runs the client; resolves with its trimmed output, rejects with all it said. */
  docker(...args: readonly string[]): Promise<string>
  stop(): Promise<void>
}

/** Debian packages by name, downloaded by apt and extracted into `target`. */
export async function extractPackages(
  names: readonly string[],
  folder: string,
  target: string,
): Promise<void> {
  const debs = join(folder, `debs-${names[0]}`)
  await mkdir(debs, { recursive: true })
  const download = (): Promise<unknown> =>
    run('apt-get', ['download', '-q', ...names], { cwd: debs })
  // A machine that has never updated its package lists knows no names.
  await download().catch(async () => {
    await run('apt-get', ['update', '-q'])
    await download()
  })
  for (const deb of await readdir(debs)) await run('dpkg-deb', ['-x', join(debs, deb), target])
}

export async function startEngine(folder: string): Promise<Engine> {
  const root = join(folder, 'engine')
  await extractPackages(['docker.io', 'containerd', 'runc', 'tini'], folder, root)
  const env = {
    ...process.env,
    PATH: `${root}/usr/bin:${root}/usr/sbin:${process.env['PATH']}`,
    DOCKER_HOST: `unix://${folder}/docker.sock`,
    DOCKER_CONFIG: join(folder, 'client'),
    DOCKER_BUILDKIT: '0',
  }
  const log = await open(join(folder, 'dockerd.log'), 'w')
  const places = ['--data-root', `${folder}/state`, '--exec-root', `${folder}/run`]
  const names = ['--pidfile', `${folder}/dockerd.pid`, '--host', env.DOCKER_HOST]
  const network = ['--bridge=none', '--iptables=false', '--ip6tables=false', '--ip-forward=false']
  const groups = ['--cgroup-parent', `/${basename(folder)}`]
  const daemon = spawn(
    'dockerd',
    [...places, ...names, ...network, ...groups, '--log-level', 'warn'],
    {
      env,
      stdio: ['ignore', log.fd, log.fd],
    },
  )
  const ended = once(daemon, 'exit')

  const docker = async (...args: readonly string[]): Promise<string> => {
    const { stdout } = await run('docker', args, { env, maxBuffer: 64 << 20 })
    return stdout.trim()
  }
  const stop = async (): Promise<void> => {
    if (daemon.exitCode === null && daemon.signalCode === null) {
      daemon.kill('SIGTERM')
      await ended
    }
    await log.close()
    await unmountUnder(folder)
    await removeGroups(basename(folder))
    // With retries: an interrupted set-up may still be writing.
    await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
  }

  const deadline = Date.now() + UP_WITHIN_MS
  while (!(await docker('version').then(Boolean, () => false))) {
    if (daemon.exitCode !== null || Date.now() > deadline) {
      const said = await readFile(join(folder, 'dockerd.log'), 'utf8')
      await stop()
      throw new Error(`the Docker engine did not start (it needs root):\n${said}`)
    }
    await passed(POLL_MS)
  }
  return { docker, stop }
}

async function unmountUnder(folder: string): Promise<void> {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n')
  const ours = mounts
    .map((line) => line.split(' ')[1] ?? '')
    .filter((place) => place.startsWith(`${folder}/`))
  for (const place of ours.reverse()) await run('umount', [place])
}

/** Control groups are folders that only rmdir removes; version 1 has a tree for each controller, version 2 one tree. */
async function removeGroups(name: string): Promise<void> {
  const tree = '/sys/fs/cgroup'
  for (const controller of ['.', ...(await readdir(tree))]) {
    await rmdir(join(tree, controller, name)).catch(() => null)
  }
}
