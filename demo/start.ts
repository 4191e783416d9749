/**
 * `npm start`: the demonstration. Builds dist, starts three small origin servers and `sluice serve` from dist with
 * config/sluice.yaml, waits until it is ready, sends a few requests through it, and prints what to look at and to type.
 * Ctrl-C stops everything, and so does the end of the program; an origin that ends is part of the demonstration.
 *
 * `npm run dev` (--watch) serves from src and restarts the program when a file in src is saved.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { get } from 'node:http'
import { setTimeout as passed } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { build } from '../scripts/build.ts'
import { usedPorts } from './ports.ts'
import { onEndOfDemonstration } from './signals.ts'

// The addresses and names of config/sluice.yaml.
const CONFIG = 'config/sluice.yaml'
const WEB_PORT = 8080
const ADMIN_PORT = 8182
const ORIGINS: readonly OriginPlace[] = [
  { name: 'v1', port: 5001 },
  { name: 'v2', port: 5002 },
  { name: 'v3', port: 5003 },
]

const isWatched = process.argv.includes('--watch')
/** A restart does not wait for open streams. */
const PROGRAM = isWatched
  ? ['--watch-path=src', 'src/main.ts', 'serve', '--drain', '1s', '--config', CONFIG]
  : ['dist/main.js', 'serve', '--config', CONFIG]

const READY_WITHIN_MS = 20_000
const POLL_MS = 100
/** The program drains for up to 30 s. */
const STOPPED_WITHIN_MS = 35_000
const FIRST_REQUESTS = 6
const RELOADS = `
                        src/   save a file: the program restarts`

interface OriginPlace {
  readonly name: string
  readonly port: number
}

interface Running {
  readonly process: ChildProcess
  /** How it ended: `code 1`, or the signal. */
  readonly ended: Promise<string>
}

const root = fileURLToPath(new URL('..', import.meta.url))
const running = new Set<Running>()

/** Resolves to null when the user stops the demonstration, otherwise to what went wrong. */
const { promise: over, resolve: settle } = Promise.withResolvers<string | null>()
let isOver = false

onEndOfDemonstration(() => end(null), killAll)
void demonstrate().catch((error: unknown) => end(String(error)))
const failure = await over
process.exit((await stopAll(failure)) ? 0 : 1)

function end(failure: string | null): void {
  isOver = true
  settle(failure)
}

async function demonstrate(): Promise<void> {
  if (!isWatched) build()
  const ports = [...ORIGINS.map((place) => place.port), WEB_PORT, ADMIN_PORT]
  const used = await usedPorts(ports, 'npm start')
  if (used !== null) return end(used)
  const origins = await Promise.all(ORIGINS.map(startOrigin))
  if (isOver) return
  const program = start(PROGRAM)
  void program.ended.then((how) => end(`sluice ended (${how})`))
  await ready()
  if (!isOver) console.log(await introduction(origins))
}

/** Resolves when it listens. If it cannot, it has printed why, and the demonstration ends. */
async function startOrigin({ name, port }: OriginPlace): Promise<Running> {
  const origin = start(['demo/origin.ts', name, String(port)])
  const listening = new Promise<null>((resolve) => {
    origin.process.once('message', () => resolve(null))
  })
  const how = await Promise.race([listening, origin.ended])
  if (how !== null) end(`origin ${name} did not start (${how})`)
  void origin.ended.then((how) => {
    if (isOver) return
    console.log(
      `\n  ${name} has ended (${how}): the other servers respond. Restart it with: npm run origin ${name} ${port}\n`,
    )
  })
  return origin
}

/**
 * A child on the Node that runs this file. It has a session of its own, so that a Ctrl-C reaches it once, through this
 * process. With leash.ts it does not outlive this process.
 */
function start(args: readonly string[]): Running {
  const child = spawn(process.execPath, ['--import', './demo/leash.ts', ...args], {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(signal ?? `code ${code}`))
  })
  const started = { process: child, ended }
  running.add(started)
  void ended.then(() => running.delete(started))
  return started
}

async function ready(): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS
  while (!isOver) {
    const signal = AbortSignal.timeout(POLL_MS * 10)
    const response = await fetch(`http://127.0.0.1:${ADMIN_PORT}/readyz`, { signal }).catch(
      () => null,
    )
    if (response?.ok === true) return
    if (Date.now() > deadline) end(`sluice was not ready within ${READY_WITHIN_MS / 1000} s`)
    await passed(POLL_MS)
  }
}

async function introduction(origins: readonly Running[]): Promise<string> {
  const names: string[] = []
  for (let sent = 0; sent < FIRST_REQUESTS; sent += 1) names.push(await respondingOrigin())
  const [first] = ORIGINS
  const web = `http://127.0.0.1:${WEB_PORT}`
  const admin = `http://127.0.0.1:${ADMIN_PORT}`
  return `
  Sluice balances ${web}/ over ${ORIGINS.map((place) => place.name).join(', ')}.
  The first ${FIRST_REQUESTS} requests went to ${names.join(' ')}.

  In a browser:         ${web}/            reload it
                        ${admin}/api/table   the routing table
                        ${admin}/metrics     the metrics
  In another terminal:  curl ${web}/       which server responds?
                        curl -N ${web}/clock   a stream that lives through every change
                        kill ${origins[0]?.process.pid}   ${first?.name} is taken out of rotation; restart it with: npm run origin ${first?.name} ${first?.port}
  In an editor:         ${CONFIG}   remove v3, or set \`weight: 3\` of v2: in force when you save${isWatched ? RELOADS : ''}
  To stop:              Ctrl-C
`
}

function respondingOrigin(): Promise<string> {
  return new Promise((resolve) => {
    const request = get(`http://127.0.0.1:${WEB_PORT}/`, (response) => {
      response.resume()
      resolve(response.headers['x-origin']?.toString() ?? `status ${response.statusCode}`)
    })
    request.once('error', (error) => resolve(error.message))
  })
}

/** Stops all children together; they finish what is in flight. Returns true if all ended well. */
async function stopAll(failure: string | null): Promise<boolean> {
  if (failure === null) console.log('\nstopping (Ctrl-C again: immediately)')
  else console.error(`npm start: ${failure}`)
  const late = setTimeout(killAll, STOPPED_WITHIN_MS)
  const children = [...running]
  for (const child of children) child.process.kill('SIGTERM')
  const ends = await Promise.all(children.map((child) => child.ended))
  clearTimeout(late)
  return failure === null && ends.every((how) => how === 'code 0' || how === 'SIGTERM')
}

function killAll(): void {
  for (const child of running) child.process.kill('SIGKILL')
}
