/** When a process was started, in ticks since the machine was: with its id, that identifies it until the next boot. */
import { readFileSync } from 'node:fs'

/** Field 22 of /proc/PID/stat (proc(5)), of which the second, a name in brackets, may hold blanks. */
const FIELD = 22 - 3

/** Null: there is no such process, or no /proc. */
export function processStart(pid: number | 'self'): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[FIELD] ?? null
  } catch {
    return null
  }
}

/** `started`: as of processStart. One that this user cannot look at lives. */
export function isAlive(pid: number, started: string): boolean {
  const found = processStart(pid)
  if (found !== null) return found === started
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
