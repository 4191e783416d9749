/** Processes of this machine, in tests. */
import { readFileSync } from 'node:fs'

/** Without those that have ended and whose parent has not looked yet. */
export function isRunning(pid: number | string): boolean {
  try {
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
