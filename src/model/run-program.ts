/** Runs a program of this machine with a list of arguments, without a shell, for a limited time. */
import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process'
import { errorOf, messageOf } from './error-message.ts'
import { killGroup } from './kill-group.ts'
import { escapeControls } from './parsed.ts'

export interface ProgramOptions {
  /** What messages begin with: `the hook "/etc/txt" failed (present)`. */
  readonly failed: string
  /** That of this program by default. */
  readonly cwd?: string
  /** That of this program by default. */
  readonly env?: NodeJS.ProcessEnv
  readonly timeoutMs: number
  /** Between SIGTERM and SIGKILL, once its time is over. */
  readonly graceMs: number
  /** The most characters of standard output; 0: it is not read. */
  readonly maxOutput: number
  /** Ends it. */
  readonly signal?: AbortSignal
}

const MAX_SHOWN = 300

/**
 * Resolves with what it wrote to standard output once it has ended with 0. Rejects with the end of what it wrote to standard error.
 * When its time is over, it and all that it has started are ended.
 */
export function runProgram(
  [program = '', ...args]: readonly string[],
  { failed, cwd, env, timeoutMs, graceMs, maxOutput, signal }: ProgramOptions,
): Promise<string> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(new Error(`${failed}: it was stopped`))
    const started = spawnGroup(program, args, {
      ...{ cwd, env },
      stdio: ['ignore', maxOutput === 0 ? 'ignore' : 'pipe', 'pipe'],
    })
    if (started instanceof Error) {
      return reject(new Error(`${failed}: ${startProblem(started)}`, { cause: started }))
    }
    const child: ChildProcess = started
    let output = ''
    let complaint = ''
    let why: string | null = null
    let killer: NodeJS.Timeout | null = null

    function end(reason: string): void {
      if (why !== null) return
      why = reason
      killGroup(child.pid, 'SIGTERM')
      killer = setTimeout(() => {
        killGroup(child.pid)
        // A process that has left the group may keep the pipes open.
        child.stdout?.destroy()
        child.stderr?.destroy()
      }, graceMs)
    }
    const timer = setTimeout(() => end(`it did not end within ${timeoutMs / 1000} s`), timeoutMs)
    const abort = (): void => end('it was stopped')
    signal?.addEventListener('abort', abort, { once: true })

    function settle(reason: string | null, cause?: unknown): void {
      clearTimeout(timer)
      if (killer !== null) clearTimeout(killer)
      signal?.removeEventListener('abort', abort)
      if (reason === null) return resolve(output)
      const last = escapeControls(complaint.trim().replace(/\s+/g, ' ').slice(-MAX_SHOWN))
      reject(new Error(`${failed}: ${reason}${last === '' ? '' : `: ${last}`}`, { cause }))
    }

    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text
      if (output.length <= maxOutput) return
      output = ''
      end(`it writes more than ${maxOutput} characters`)
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(-2 * MAX_SHOWN)
    })
    child.on('error', (error) => settle(startProblem(error), error))
    child.on('close', (code, by) => {
      if (why !== null) settle(why)
      else if (code === 0) settle(null)
      else settle(code === null ? `it was ended by ${by ?? 'a signal'}` : `it ended with ${code}`)
    })
  })
}

/** In a group of its own, so that what it starts ends with it. An error: it cannot be started, which others say by an event. */
export function spawnGroup(
  program: string,
  args: readonly string[],
  options: SpawnOptions,
): ChildProcess | Error {
  try {
    return spawn(program, args, { ...options, detached: true })
  } catch (error) {
    return errorOf(error)
  }
}

/** Why a program could not be started. */
export function startProblem(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : null
  if (code === 'ENOENT') return 'there is no such program'
  if (code === 'EACCES') return 'it may not be executed'
  return messageOf(error)
}
