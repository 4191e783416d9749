/** A program that is started again when it ends, until it is stopped, as an engine does with `restart: always`. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'

export interface ProgramPlan {
  /** `vote-2`. */
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** What it is run as; undefined: as this process. */
  readonly user?: User | undefined
  /** Its output is appended to this file. */
  readonly log: string
}

export interface User {
  readonly uid: number
  readonly gid: number
}

export interface Surroundings {
  /** A process has started, or ended: for the guard. */
  readonly note: (line: `+${number}` | `-${number}`) => void
  readonly tell: (line: string) => void
}

export interface Supervised {
  readonly name: string
  /** Null between an end and the next start. */
  pid(): number | null
  /** Sends SIGKILL; it starts again. */
  kill(): void
  /** Sends SIGINT, on which PostgreSQL does not wait for its clients; resolves when it has ended. */
  stop(): Promise<void>
}

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 4000
/** A program that ran for so long starts again after the first pause. */
const STEADY_MS = 5000
const STOPPED_WITHIN_MS = 10_000
const SHOWN_LOG_LINES = 5

export function supervise(plan: ProgramPlan, { note, tell }: Surroundings): Supervised {
  const { promise: stopped, resolve: finish } = Promise.withResolvers<void>()
  let child: ChildProcess | null = null
  let timer: NodeJS.Timeout | undefined
  let isStopping = false
  let pauseMs = FIRST_PAUSE_MS

  function start(): void {
    const startedAt = performance.now()
    const log = openSync(plan.log, 'a')
    // A session of its own: a Ctrl-C in the terminal reaches only the demonstration.
    const started = spawn(plan.command, plan.args, {
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...process.env, ...plan.env },
      ...plan.user,
    })
    closeSync(log)
    child = started
    if (started.pid !== undefined) note(`+${started.pid}`)
    const ended = (how: string): void => {
      if (child !== started) return
      child = null
      if (started.pid !== undefined) note(`-${started.pid}`)
      if (isStopping) return finish()
      if (performance.now() - startedAt > STEADY_MS) pauseMs = FIRST_PAUSE_MS
      const why = how === 'SIGKILL' ? '' : `\n${lastLines(plan.log)}`
      tell(`${plan.name} has ended (${how}) and starts again${why}`)
      timer = setTimeout(start, pauseMs)
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)
    }
    started.once('error', (error) => ended(error.message))
    started.once('exit', (code, signal) => ended(signal ?? `code ${code}`))
  }

  start()
  return {
    name: plan.name,
    pid: () => child?.pid ?? null,
    kill: () => void child?.kill('SIGKILL'),
    stop() {
      isStopping = true
      clearTimeout(timer)
      if (child === null) finish()
      child?.kill('SIGINT')
      const late = setTimeout(() => child?.kill('SIGKILL'), STOPPED_WITHIN_MS)
      return stopped.finally(() => clearTimeout(late))
    },
  }
}

function lastLines(path: string): string {
  return readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .slice(-SHOWN_LOG_LINES)
    .map((line) => `    ${line}`)
    .join('\n')
}
