/**
 * A real Docker engine from Debian's packages, in a folder of its own. By default it has no bridge and no iptables, so that
 * nothing of the machine's network changes: its containers use the host's network, or none. It needs root.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, readdir, rm, rmdir, symlink, copyFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as passed } from 'node:timers/promises'
import { promisify } from 'node:util'
import { startDaemon, type Daemon, type Owner } from './daemon.ts'
import { cachedPackages } from './debian-packages.ts'

const run = promisify(execFile)

const PACKAGES = [
  ...['docker.io', 'containerd', 'runc', 'tini', 'busybox-static'],
  // Libraries of these that a small Debian may lack.
  ...['libdevmapper1.02.1', 'libseccomp2'],
]
/** Beginnings of what the engine writes outside its folder, whatever its options. */
const STRAYS = [
  ...['/etc/docker/key.json', '/etc/docker', '/run/docker/plugins', '/run/docker'],
  ...['/run/containerd/s', '/run/containerd'],
]
/** What the images of tests are named. */
export const IMAGE = 'sluice-test:1'
const APPLETS = [
  'sh',
  'sleep',
  'cat',
  'echo',
  'httpd',
  'nc',
  'kill',
  'true',
  'touch',
  'test',
  'wget',
]

export interface DockerEngineOptions {
  /** Packages instead of Debian's, extracted: a folder with `usr/bin` and `usr/sbin`. */
  readonly root?: string
  /** Of dockerd, for its network. Default: none, only the host's. */
  readonly network?: readonly string[]
  /** Further arguments of dockerd: `--host tcp://127.0.0.1:2375` ... */
  readonly args?: readonly string[]
  /** Default vfs, which works everywhere; overlay2 copies no layers. */
  readonly storageDriver?: 'vfs' | 'overlay2'
  /** Containers survive the death of the engine. Default true; Swarm allows only false. */
  readonly liveRestore?: boolean
  /** Of the engine, beside its own. */
  readonly env?: NodeJS.ProcessEnv
  /** A command that runs it in namespaces of its own. They end with it, and so does all that is in them. */
  readonly within?: readonly string[]
}

export interface DockerEngine extends Daemon {
  readonly socket: string
  /** For children that use the client: PATH, DOCKER_HOST ... */
  readonly env: NodeJS.ProcessEnv
  /** Runs the client; resolves with its trimmed output, rejects with all that it printed. */
  docker(...args: readonly string[]): Promise<string>
  /** Starts a container of IMAGE in the host's network; resolves with its id. */
  run(name: string, labels: Readonly<Record<string, string>>, more?: RunOptions): Promise<string>
  /** Removes all containers, running or not. */
  removeAll(): Promise<void>
}

export interface RunOptions {
  /** Arguments of `docker run`, before the image. */
  readonly args?: readonly string[]
  /** Default: sleeps until SIGTERM. */
  readonly command?: readonly string[]
}

const NO_NETWORK = ['--bridge=none', '--iptables=false', '--ip6tables=false', '--ip-forward=false']
/** A container that ends at SIGTERM: process 1 ignores signals for which it has no handler. */
const SLEEP = ['sh', '-c', 'trap "exit 0" TERM; sleep 100000 & wait']

/** Mounts and a command with which a container runs this process's Node, with a script of its own. */
export function nodeIn(script: string): RunOptions {
  const folders = ['/usr', '/lib', '/lib64'].filter((folder) => existsSync(folder))
  const mounts = [...folders.map((folder) => [folder, folder]), [process.execPath, '/node']]
  return {
    // As process 1 Node has its own handlers only; the image has no shell that would pass a signal on.
    args: ['--init', ...mounts.flatMap(([from, to]) => ['-v', `${from}:${to}:ro`])],
    command: ['/node', '-e', script],
  }
}

/** Why no engine can run here; null: one can. */
export async function whyNoEngine(): Promise<string | null> {
  if (process.platform !== 'linux') return 'a Docker engine needs Linux'
  if (process.getuid?.() !== 0) return 'a Docker engine needs root'
  for (const command of ['apt-get', 'dpkg-deb']) {
    if (!existsSync(`/usr/bin/${command}`)) return `a Docker engine of Debian needs ${command}`
  }
  // A container may have root without the right to mount.
  const isMounting = run('unshare', ['--mount', 'true']).then(
    () => null,
    () => 'a Docker engine needs the right to mount (CAP_SYS_ADMIN), as --privileged gives it',
  )
  return isMounting
}

/** Downloads the packages, so that the first test does not wait for them. */
export async function fetchEngine(): Promise<string> {
  return cachedPackages(PACKAGES)
}

/** With IMAGE in it. Ended with its owner; nothing of it is left then. */
export async function startDockerEngine(
  owner: Owner,
  options: DockerEngineOptions = {},
): Promise<DockerEngine> {
  const debian = await fetchEngine()
  const root = options.root ?? debian
  const strays = STRAYS.filter((path) => !existsSync(path))
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    ...options.env,
    PATH: `${root}/usr/bin:${root}/usr/sbin:${process.env['PATH']}`,
    LD_LIBRARY_PATH: await librariesOf(root),
    DOCKER_BUILDKIT: '0',
  }
  const [command = '', ...prefix] = [...(options.within ?? []), 'dockerd']
  const isApart = options.within !== undefined
  const ends: (() => unknown)[] = []
  let isReady = false
  const daemon = await startDaemon(
    { after: (end) => ends.push(end) },
    {
      command,
      debianPackage: 'docker.io',
      env,
      args: (data) => {
        env['DOCKER_HOST'] = `unix://${data}/docker.sock`
        env['DOCKER_CONFIG'] = join(data, 'client')
        return [
          ...prefix,
          ...['--data-root', `${data}/state`, '--exec-root', `${data}/run`],
          ...['--pidfile', `${data}/dockerd.pid`, '--host', env['DOCKER_HOST']],
          ...['--storage-driver', options.storageDriver ?? 'vfs', '--log-level', 'warn'],
          ...['--exec-opt', 'native.cgroupdriver=cgroupfs', '--cgroup-parent', `/${groupOf(data)}`],
          ...(options.network ?? NO_NETWORK),
          ...(options.liveRestore === false ? [] : ['--live-restore']),
          ...(options.args ?? []),
        ]
      },
      isReady: async () => (isReady = await docker('version').then(Boolean, () => false)),
    },
  )
  const data = join(daemon.folder, 'data')

  async function docker(...args: readonly string[]): Promise<string> {
    const { stdout } = await run('docker', args, { env, maxBuffer: 64 << 20 })
    return stdout.trim()
  }

  async function removeAll(): Promise<void> {
    const all = await docker('ps', '-aq')
    if (all !== '') await docker('rm', '-f', ...all.split(/\s+/))
  }

  /** containerd dies with a killed engine (PDEATHSIG). Their pid files are taken for them, also by a zombie's number. */
  async function start(): Promise<void> {
    for (const file of ['dockerd.pid', 'run/containerd/containerd.pid']) {
      await rm(join(data, file), { force: true })
    }
    await daemon.start()
  }

  /** Without a word of the engine to those that follow it. */
  async function killAll(): Promise<void> {
    await daemon.kill()
    while ((await killWith(daemon.folder)) > 0) await passed(10)
  }

  /** Ends it with all its containers. */
  async function stop(): Promise<void> {
    if (isApart) {
      await daemon.kill()
    } else if (isReady) {
      try {
        if (daemon.pid() === null) await start()
        await removeAll()
        await terminate(daemon)
      } catch (error) {
        console.error(`the engine of ${daemon.folder} did not end in order: ${String(error)}`)
        await killAll()
      }
    }
    await unmountUnder(daemon.folder)
  }

  async function end(): Promise<void> {
    await stop()
    await removeGroups(groupOf(data))
    for (const last of ends) await last()
    // Those that another engine uses are not empty.
    for (const path of strays) {
      await (path.endsWith('.json') ? rm(path) : rmdir(path)).catch(() => null)
    }
  }

  owner.after(end)
  await importImage(docker, debian, join(daemon.folder, 'image'))
  return {
    ...daemon,
    start,
    async wipe() {
      await killAll()
      await unmountUnder(daemon.folder)
      await daemon.wipe()
    },
    env,
    socket: `${data}/docker.sock`,
    docker,
    removeAll,
    run: (name, labels, { args = [], command = SLEEP } = {}) =>
      docker(
        ...['run', '-d', '--name', name, '--network', 'host'],
        ...Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]),
        ...args,
        IMAGE,
        ...command,
      ),
  }
}

/** An image made from nothing but busybox. */
async function importImage(
  docker: DockerEngine['docker'],
  debian: string,
  folder: string,
): Promise<void> {
  await mkdir(join(folder, 'bin'), { recursive: true })
  await mkdir(join(folder, 'tmp'))
  await copyFile(`${debian}/bin/busybox`, join(folder, 'bin/busybox'))
  for (const applet of APPLETS) await symlink('busybox', join(folder, 'bin', applet))
  await run('tar', ['-C', folder, '--owner=0', '--group=0', '-cf', `${folder}.tar`, '.'])
  await docker('import', '-c', 'ENV PATH=/bin', `${folder}.tar`, IMAGE)
}

async function terminate(daemon: Daemon): Promise<void> {
  const pid = daemon.pid()
  if (pid === null) return
  process.kill(pid, 'SIGTERM')
  while (daemon.pid() !== null) await passed(10)
}

/** For LD_LIBRARY_PATH. */
export async function librariesOf(root: string): Promise<string> {
  const folders = [`${root}/usr/lib`, `${root}/lib`]
  const found = folders.map(async (folder) => {
    const entries = existsSync(folder) ? await readdir(folder) : []
    return entries.filter((one) => one.endsWith('-linux-gnu')).map((one) => join(folder, one))
  })
  return (await Promise.all(found)).flat().join(':')
}

function groupOf(data: string): string {
  return basename(join(data, '..'))
}

async function unmountUnder(folder: string): Promise<void> {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n')
  const own = mounts
    .map((line) => line.split(' ')[1] ?? '')
    .filter((place) => place.startsWith(`${folder}/`))
  for (const place of own.reverse()) await run('umount', [place])
}

/** Kills the containers of an engine that is dead, and their shims. Returns how many there were. */
async function killWith(folder: string): Promise<number> {
  const found = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  let killed = 0
  for (const pid of found) {
    const read = (file: string): Promise<string> =>
      readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')
    const isShim = (await read('cmdline')).includes(`${folder}/`)
    if (!isShim && !(await read('cgroup')).includes(`/${basename(folder)}/`)) continue
    // A zombie has ended.
    if (pid === process.pid || /^\d+ \(.*\) Z /.test(await read('stat'))) continue
    process.kill(pid, 'SIGKILL')
    killed += 1
  }
  return killed
}

/** Control groups are folders that only rmdir removes; version 1 has a tree for each controller, version 2 one tree. */
export async function removeGroups(name: string): Promise<void> {
  const tree = '/sys/fs/cgroup'
  for (const controller of ['.', ...(await readdir(tree))]) {
    await removeGroup(join(tree, controller, name))
  }
}

/** With those inside it, which containers leave behind that were killed. */
async function removeGroup(path: string): Promise<void> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => [])
  for (const entry of entries) if (entry.isDirectory()) await removeGroup(join(path, entry.name))
  await rmdir(path).catch(() => null)
}
