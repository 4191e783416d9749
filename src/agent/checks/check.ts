/**
 * One way to ask a local service whether it is well. A check is run again and again by a `CheckLoop`, never twice at a time, and
 * each run is bounded: at its time limit the signal is aborted, and a run that does not end then is given up.
 */
import { messageOf } from '../../model/error-message.ts'
import { setImmediate as nextTurn } from 'node:timers/promises'

/** One run: null if the service passes, else why it does not, for people. Ends soon after the signal is aborted. */
export type Check = (signal: AbortSignal) => Promise<string | null>

/** What an aborted check gets to end what it has begun, a process for example. */
const GRACE_MS = 250

/** `calling`: of this run; the caller may abort it, too. Never rejects. */
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
  const run = check(calling.signal).catch((error: unknown) => messageOf(error))
  const reason = await Promise.race([run, late])
  clearTimeout(timer)
  return isLate && reason !== null ? `no result within ${timeoutMs} ms` : reason
}
