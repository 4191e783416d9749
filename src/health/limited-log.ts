/**
 * The log of changes of servers, breakers and names, limited to a number of lines a second. Of more changes, as when a rack
 * fails, the first are logged and the others counted. Warnings have their own limit, so that recoveries do not hide them.
 */
import type { Log } from '../observe/log.ts'

export interface LimitedLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  /** Logs how many lines were dropped; to be called several times a second. */
  tick(now: number): void
}

const MAX_LINES = 20
const PERIOD_MS = 1000

export function createLimitedLog(
  log: Log,
  others = 'changes of servers and breakers: see /api/servers and /api/breakers',
): LimitedLog {
  const levels = { info: { logged: 0, untold: 0 }, warn: { logged: 0, untold: 0 } }
  let begunAt = -Infinity

  function write(level: 'info' | 'warn', fields: object, message: string): void {
    const counts = levels[level]
    if (counts.logged < MAX_LINES) {
      counts.logged++
      log[level](fields, message)
    } else counts.untold++
  }

  return {
    info: (fields, message) => write('info', fields, message),
    warn: (fields, message) => write('warn', fields, message),
    tick(now) {
      if (now - begunAt < PERIOD_MS) return
      begunAt = now
      for (const level of ['info', 'warn'] as const) {
        const { untold } = levels[level]
        levels[level] = { logged: 0, untold: 0 }
        if (untold > 0) {
          log[level]({ untold }, `and ${untold} more ${others}`)
        }
      }
    },
  }
}
