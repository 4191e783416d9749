/**
 * What is logged of servers, breakers and names: a line for each change, as long as they are few. Of many at once, as when a
 * rack dies, the first are told and the others counted; what is bad has a measure of its own, so that recoveries do not hide it.
 */
import type { EventLog } from '../observe/log.ts'

export interface LimitedLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  /** Tells how many were not told; to be called now and then. */
  tick(now: number): void
}

const LINES = 20
const EVERY_MS = 1000

export function createLimitedLog(
  log: EventLog,
  others = 'changes of servers and breakers: see /api/servers and /api/breakers',
): LimitedLog {
  const levels = { info: { told: 0, untold: 0 }, warn: { told: 0, untold: 0 } }
  let begunAt = -Infinity

  function tell(level: 'info' | 'warn', fields: object, message: string): void {
    const measure = levels[level]
    if (measure.told < LINES) {
      measure.told++
      log[level](fields, message)
    } else measure.untold++
  }

  return {
    info: (fields, message) => tell('info', fields, message),
    warn: (fields, message) => tell('warn', fields, message),
    tick(now) {
      if (now - begunAt < EVERY_MS) return
      begunAt = now
      for (const level of ['info', 'warn'] as const) {
        const { untold } = levels[level]
        levels[level] = { told: 0, untold: 0 }
        if (untold > 0) {
          log[level]({ untold }, `and ${untold} more ${others}`)
        }
      }
    },
  }
}
