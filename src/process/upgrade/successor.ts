/** Starts the program that is to replace this one, and waits until it serves. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { ListeningSocket } from '../../model/listening-socket.ts'
import {
  type Begin,
  CHANNEL_VARIABLE,
  type FromProgram,
  type FromSuccessor,
  openChannel,
} from './channel.ts'

export interface SuccessorOptions extends Pick<
  Required<Begin>,
  'secret' | 'ticketKeys' | 'lastGood'
> {
  readonly command: readonly string[]
  /** Of this process. */
  readonly sockets: readonly ListeningSocket[]
  readonly env: NodeJS.ProcessEnv
  readonly withinMs: number
  /** Ends it, unless it serves already. */
  readonly signal: AbortSignal
}

export interface Successor {
  readonly pid: number
  readonly version: string
  /** The data folder is free for it. */
  passOn(): void
}

/** Standard input, output and error come before it, the sockets behind it. */
const CHANNEL_FD = 3
const LAST_WORDS_MS = 1_000
const STOPPED = 'this program was stopped'
/** Of this process alone: the successor finds its own, see systemd/activation.ts and program.ts. */
const OWN_VARIABLES = [
  'LISTEN_PID',
  'LISTEN_FDS',
  'LISTEN_FDNAMES',
  'WATCHDOG_PID',
  'SLUICE_LAUNCHER',
]

/** Rejects with the reason in one line; then the program that was started has ended. */
export async function startSuccessor(options: SuccessorOptions): Promise<Successor> {
  const { sockets, withinMs, signal, secret, ticketKeys, lastGood } = options
  if (signal.aborted) throw new Error(STOPPED)
  const child = start(options)
  const { promise: serves, resolve, reject } = Promise.withResolvers<Successor>()
  let problem = ''
  child.once('error', (error) => reject(new Error(notStarted(options, error), { cause: error })))
  const silent = Promise.withResolvers<void>()
  child.once('exit', (code, killedBy) => {
    // What it said last may still be on its way.
    const last = delay(LAST_WORDS_MS, undefined, { ref: false })
    void Promise.race([silent.promise, last]).then(() =>
      reject(new Error(ended(code, killedBy, problem))),
    )
  })
  const socket = child.stdio[CHANNEL_FD] as Socket | undefined
  if (socket !== undefined && child.pid !== undefined) {
    const { pid } = child
    const channel = openChannel<FromSuccessor, FromProgram>(socket)
    channel.listen((message) => {
      if (message.kind === 'problem') problem ||= message.text
      // Another version may say more.
      else if (message.kind === 'ready') {
        child.unref()
        channel.unref()
        const passOn = (): void => {
          channel.send({ kind: 'yours' })
          channel.close()
        }
        resolve({ pid, version: String(message.version), passOn })
      }
    }, silent.resolve)
    const moved = sockets.map((one, at) => ({ ...one, fd: CHANNEL_FD + 1 + at }))
    const begin = { pid: process.pid, sockets: moved, secret, ticketKeys, lastGood }
    channel.send({ kind: 'begin', ...begin })
  }
  const late = setTimeout(
    () => reject(new Error(`it does not serve within ${withinMs / 1000} s, and was ended`)),
    withinMs,
  )
  const abort = (): void => reject(new Error(STOPPED))
  signal.addEventListener('abort', abort)
  try {
    return await serves
  } catch (error) {
    if (child.pid !== undefined) await kill(child)
    throw error
  } finally {
    clearTimeout(late)
    signal.removeEventListener('abort', abort)
  }
}

function start({ command, sockets, env }: SuccessorOptions): ChildProcess {
  const [file = '', ...words] = command
  const given = Object.entries(env).filter(([name]) => !OWN_VARIABLES.includes(name))
  return spawn(file, words, {
    env: { ...Object.fromEntries(given), [CHANNEL_VARIABLE]: String(CHANNEL_FD) },
    stdio: ['ignore', 'inherit', 'inherit', 'pipe', ...sockets.map(({ fd }) => fd)],
  })
}

function notStarted({ command: [file = ''] }: SuccessorOptions, error: Error): string {
  const code = 'code' in error ? String(error.code) : ''
  if (code === 'ENOENT') return `there is no program ${file}`
  if (code === 'EACCES') return `${file} may not be executed`
  return `cannot start ${file}: ${error.message}`
}

function ended(code: number | null, signal: string | null, problem: string): string {
  const how = signal === null ? `ended with exit code ${code ?? 0}` : `was ended by ${signal}`
  return problem === '' ? `it ${how} before it served` : `it ${how}: ${problem}`
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const { promise, resolve } = Promise.withResolvers<void>()
  child.once('exit', () => resolve())
  child.kill('SIGKILL')
  await promise
}
