/** A program of the operator that sets TXT records: `COMMAND present|cleanup NAME VALUE`. */
import { spawn } from 'node:child_process'
import { killGroup } from '../../model/kill-group.ts'
import { quote } from '../../model/parsed.ts'

export type HookAction = 'present' | 'cleanup'

const MAX_SHOWN = 500
/** After SIGTERM, until SIGKILL. */
const GRACE_MS = 2_000

/** Resolves when it has ended with 0. Rejects with what it wrote to standard error. */
export function runHook(
  command: readonly string[],
  [action, name, value]: readonly [HookAction, string, string],
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<void> {
  const [program = '', ...args] = command
  return new Promise((resolve, reject) => {
    // A group of its own, so that what it started ends with it.
    const child = spawn(program, [...args, action, name, value], {
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
      env: { ...process.env, ACME_ACTION: action, ACME_NAME: name, ACME_VALUE: value },
    })
    let written = ''
    let late: string | null = null
    let killer: NodeJS.Timeout | null = null

    function end(why: string): void {
      if (late !== null) return
      late = why
      killGroup(child.pid, 'SIGTERM')
      killer = setTimeout(() => {
        killGroup(child.pid)
        // A process that left the group may keep the pipe open.
        child.stderr.destroy()
      }, GRACE_MS)
    }
    const timer = setTimeout(() => end(`it did not end within ${timeoutMs} ms`), timeoutMs)
    const abort = (): void => end('it was stopped')
    if (signal?.aborted === true) abort()
    signal?.addEventListener('abort', abort, { once: true })

    function settle(failure: string | null, cause?: unknown): void {
      clearTimeout(timer)
      if (killer !== null) clearTimeout(killer)
      signal?.removeEventListener('abort', abort)
      if (failure === null) return resolve()
      const text = written.trim()
      const shown = text === '' ? '' : `: ${quote(text.slice(-MAX_SHOWN))}`
      reject(
        new Error(`the hook ${quote(program)} failed (${action}): ${failure}${shown}`, { cause }),
      )
    }

    child.stderr.setEncoding('utf8')
    child.stderr.on('data', (chunk: string) => {
      written = (written + chunk).slice(-MAX_SHOWN)
    })
    child.on('error', (error) => settle(error.message, error))
    child.on('close', (code, by) => {
      if (late !== null) settle(late)
      else if (code === 0) settle(null)
      else settle(code === null ? `it was ended by ${by ?? 'a signal'}` : `it ended with ${code}`)
    })
  })
}
