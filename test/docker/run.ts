/**
 * `npm run test:docker [-- PART...]`: Docker for real. `image` builds the Dockerfile and runs the image. With it the other parts run
 * compose, a compose file for Traefik, Swarm, the voting app, and what docs/from-the-talk.md shows; `scaling` scales a service of a
 * Swarm, and needs no image. All of them are on bridge and overlay networks, each in namespaces of its own (namespaces.ts), so that
 * the machine's network stays as it is. Needs root on a Debian machine; takes some minutes; not part of `npm test`.
 * `SLUICE_TEST_IMAGES=FILE` names the images of an earlier run, or where to save them.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { consulCommand } from '../support/consul.ts'
import { fetchEngine, removeGroups } from '../support/docker-engine.ts'
import { fetchNetworks, whyNoNetworks } from '../support/docker-networks.ts'
import { namespaced } from '../support/namespaces.ts'
import { fetchCompose } from './users-engine.ts'

const PARTS = ['image', 'compose', 'traefik', 'swarm', 'scaling', 'voting', 'talk']
/** They run Sluice from its source, beside the engine. */
const WITHOUT_IMAGES = ['scaling']

const asked = process.argv.slice(2)
const unknown = asked.find((part) => !PARTS.includes(part))
const reason = unknown === undefined ? await whyNoNetworks() : `there is no part "${unknown}"`
if (reason !== null) {
  console.error(`${reason}; usage: npm run test:docker [-- ${PARTS.join(' | ')}]`)
  process.exit(2)
}

const folder = await mkdtemp(join(tmpdir(), 'sluice-docker-'))
const before = await machine()
// Containers run as another user.
await chmod(folder, 0o755)
const running = { kill: (): unknown => null, isStopped: false }
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    running.isStopped = true
    running.kill()
  })
}

const failed: string[] = []
try {
  const images = process.env['SLUICE_TEST_IMAGES'] ?? join(folder, 'images.tar')
  await fetchEngine()
  const { init } = await fetchNetworks()
  fetchCompose()
  consulCommand()
  const parts = PARTS.filter((part) => asked.length === 0 || asked.includes(part))
  const needsImages = parts.some((part) => part !== 'image' && !WITHOUT_IMAGES.includes(part))
  if (needsImages && !existsSync(images) && !parts.includes('image')) parts.unshift('image')
  for (const part of parts) {
    if (running.isStopped) break
    console.log(`\n${part}`)
    if (!(await runPart(part, images, init))) failed.push(part)
  }
} finally {
  for (const name of await readdir(folder)) await removeGroups(name)
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
}
const after = await machine()
if (after !== before) failed.push(`the machine is not as it was:\n${before}\n${after}`)
if (running.isStopped) failed.push('stopped by a signal')
console.log(failed.length === 0 ? '\nall parts passed' : `\nfailed: ${failed.join(', ')}`)
process.exit(failed.length === 0 ? 0 : 1)

async function runPart(part: string, images: string, init: string): Promise<boolean> {
  const command = [process.execPath, fileURLToPath(new URL(`${part}.ts`, import.meta.url))]
  const [program = '', ...args] = part === 'image' ? command : namespaced(init, command)
  const child = spawn(program, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, TMPDIR: folder, SLUICE_TEST_IMAGES: images },
  })
  // The image's part cleans up after itself; what is in namespaces ends with them.
  running.kill = () => child.kill(part === 'image' ? 'SIGTERM' : 'SIGKILL')
  const [code] = (await once(child, 'exit')) as [number | null]
  return code === 0
}

/** What an engine could leave behind, as text. Others of this machine may have engines of their own. */
async function machine(): Promise<string> {
  const isOwn = (line: string): boolean => line.includes(folder)
  const mounts = await readFile('/proc/self/mounts', 'utf8')
  const processes = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
  return JSON.stringify({
    networks: Object.keys(networkInterfaces()),
    forwards: (await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8')).trim(),
    mounts: mounts.split('\n').filter(isOwn),
    processes: processes.split('\n').filter(isOwn),
  })
}
