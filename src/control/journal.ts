/** What the log is told of the control plane: a line for each applied change, and one for each problem that comes or heals. */
import type { Problem } from '../model/problem.ts'
import type { Changes } from './diff.ts'

/** pino fits. */
export interface ControlLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export interface Journal {
  changed(number: number, changes: Changes): void
  /** All problems there are now. */
  problems(now: readonly Problem[]): void
  /** `hasDeclared`: something of it is in force. */
  lost(source: string, error: Error, hasDeclared: boolean): void
  back(source: string): void
  /** What it declared before this start was found on disk. */
  restored(source: string): void
  /** The start goes on without it. */
  without(source: string): void
}

// A file with a systematic mistake in 100,000 objects is one mistake.
const maxLines = 20

export function createJournal(log: ControlLog): Journal {
  let known = new Map<string, Problem>()

  return {
    changed(number, { upserts, deletes }) {
      const counts = {
        frontends: upserts.frontends.length,
        backends: upserts.backends.length,
        listeners: upserts.listeners.length,
        removed: deletes.frontends.length + deletes.backends.length + deletes.listeners.length,
      }
      log.info({ number, ...counts }, `table ${number} is published`)
    },
    problems(now) {
      const fresh = new Map(now.map((problem) => [identityOf(problem), problem]))
      const come = [...fresh].filter(([identity]) => !known.has(identity))
      const gone = [...known].filter(([identity]) => !fresh.has(identity))
      known = fresh
      for (const [, problem] of come.slice(0, maxLines)) log.warn({ problem }, describe(problem))
      if (come.length > maxLines) log.warn({}, `and ${come.length - maxLines} more problems`)
      for (const [, problem] of gone.slice(0, maxLines)) {
        log.info({ problem }, `no longer: ${describe(problem)}`)
      }
      if (gone.length > maxLines) log.info({}, `and ${gone.length - maxLines} more no longer`)
    },
    lost(source, error, hasDeclared) {
      const rest = hasDeclared ? 'is lost, what it declared last stays' : 'cannot be read yet'
      log.error({ source, err: error }, `source "${source}" ${rest}: ${error.message}`)
    },
    back(source) {
      log.info({ source }, `source "${source}" is back`)
    },
    restored(source) {
      log.warn({ source }, `source "${source}" is away: its last good snapshot is in force`)
    },
    without(source) {
      log.error({ source }, `source "${source}" has not answered: starting without it`)
    },
  }
}

// Without the place: a problem that moves with the lines above it is still the same one.
function identityOf({ kind, id, source, message }: Problem): string {
  return JSON.stringify([kind, id, source, message])
}

function describe({ kind, id, key, line, column, message }: Problem): string {
  const position =
    line === undefined ? '' : ` (line ${line}${column === undefined ? '' : `, column ${column}`})`
  const what = id === '' ? key : `${kind} "${id}"`
  return `${what}: ${message}${position}`
}
