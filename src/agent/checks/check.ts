/**
 * One way to ask a local service whether it is well. A check is run again and again by a `CheckLoop`, never twice at a time, and
 * each run is bounded: at its time limit the signal is aborted, and a run that does not end then is given up.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { helpAgainst, shortageOf } from '../../http/connection/shortage.ts'
import { messageOf } from '../../model/error-message.ts'

/**
 * One run: null if the service passes, else why it does not, for people. Ends soon after the signal is aborted. Rejects with the
 * error if it could not be run because this machine lacks something.
 */
export type Check = (signal: AbortSignal) => Promise<string | null>

/** A check could not be run, because this machine lacks something (descriptors, memory): that says nothing about the service. */
export class CheckShortage extends Error {
  override readonly name = 'CheckShortage'
}

/** Before what a check says of a run that was called off, which is then part of the reason. */
export const OUTPUT = 'its output: '

/** Its error, if there are as many processes as there may be. */
const NO_PROCESS = 'EAGAIN'

/** What an aborted check gets to end what it has begun, a process for example. */
const GRACE_MS = 250

/** `calling`: of this run; the caller may abort it, too. Rejects with CheckShortage only. */
export async function runBounded(
  check: Check,
  timeoutMs: number,
  calling: AbortController = new AbortController(),
): Promise<string | null> {
  let isLate = false
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<string>((resolve) => {
    const end = async (): Promise<void> => {
      // After a stall of this process an answer may wait in a socket: it is read before the time is up.
      await nextTurn()
      await nextTurn()
      isLate = true
      calling.abort()
      timer = setTimeout(resolve, GRACE_MS, 'it does not end')
    }
    timer = setTimeout(() => void end(), timeoutMs)
  })
  const run = check(calling.signal).catch(toReason)
  try {
    const reason = await Promise.race([run, late])
    if (!isLate || reason === null) return reason
    const what = `no result within ${timeoutMs} ms`
    return reason.startsWith(OUTPUT) ? `${what}; ${reason}` : what
  } finally {
    clearTimeout(timer)
  }
}

/** Whether this machine lacks something. */
export function isShortage(error: unknown): boolean {
  return shortageOf(error) !== null || hasNoProcess(error)
}

function toReason(error: unknown): string {
  if (!isShortage(error)) return messageOf(error)
  const help = hasNoProcess(error)
    ? 'raise the limit of processes (ulimit -u, TasksMax= of systemd, --pids-limit of Docker)'
    : helpAgainst(shortageOf(error) ?? '')
  throw new CheckShortage(`${messageOf(error)}: ${help}`, { cause: error })
}

function hasNoProcess(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === NO_PROCESS
}
