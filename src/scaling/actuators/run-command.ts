/** Runs a program of this machine with a list of arguments, without a shell, for a limited time. */
import { spawn } from 'node:child_process'
import { killGroup } from '../../model/kill-group.ts'
import { quote } from '../../model/parsed.ts'

export interface CommandOptions {
  readonly cwd: string
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** After SIGTERM, until SIGKILL. */
  readonly graceMs?: number
}

const GRACE_MS = 5_000
const MAX_OUTPUT = 1 << 20
const MAX_SHOWN = 300

/**
 * Resolves with what it wrote to standard output once it has ended with 0. Rejects with the end of what it wrote to standard error.
 * When its time is over, it and all that it has started are ended.
 */
export function runCommand(command: readonly string[], options: CommandOptions): Promise<string> {
  const { cwd, timeoutMs, signal, graceMs = GRACE_MS } = options
  const [program = '', ...args] = command
  // `docker compose`, without options.
  const shown = quote([program, ...args.slice(0, 1).filter((word) => /^\w/.test(word))].join(' '))
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new Error(`${shown} was not started: it was stopped`))
    // A group of its own, so that what it starts ends with it.
    const child = spawn(program, args, { cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
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
        child.stdout.destroy()
        child.stderr.destroy()
      }, graceMs)
    }
    const timer = setTimeout(() => end(`it did not end within ${timeoutMs / 1000} s`), timeoutMs)
    const abort = (): void => end('it was stopped')
    signal.addEventListener('abort', abort, { once: true })

    function settle(failure: string | null, cause?: unknown): void {
      clearTimeout(timer)
      if (killer !== null) clearTimeout(killer)
      signal.removeEventListener('abort', abort)
      if (failure === null) return resolve(output)
      const last = complaint.trim().slice(-MAX_SHOWN)
      reject(new Error(`${shown} failed: ${failure}${last === '' ? '' : `: ${last}`}`, { cause }))
    }

    child.stdout.setEncoding('utf8')
    child.stderr.setEncoding('utf8')
    child.stdout.on('data', (text: string) => {
      output += text
      if (output.length > MAX_OUTPUT) {
        output = ''
        end(`it writes more than ${MAX_OUTPUT} characters`)
      }
    })
    child.stderr.on('data', (text: string) => {
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

export function startProblem(error: Error): string {
  const code = 'code' in error ? error.code : null
  if (code === 'ENOENT') return 'there is no such program'
  if (code === 'EACCES') return 'it may not be executed'
  return error.message
}
