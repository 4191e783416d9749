/** The log lines of the control plane: one for each published change, one for each problem that appears or is resolved. */
import { describeProblem, type Problem } from '../model/problem.ts'
import type { Log } from '../observe/log.ts'
import type { SnapshotDiff } from './publication/diff.ts'

export interface Journal {
  published(number: number, changes: SnapshotDiff): void
  /** `now` returns all current problems; it is called at most once in `everyMs`. */
  problems(now: () => readonly Problem[]): void
  /** `hasDeclared`: objects of it are in force. */
  lost(source: string, error: Error, hasDeclared: boolean): void
  recovered(source: string): void
  /** Objects vanished; their removal is held. */
  held(source: string, message: string): void
  /** The hold is over; `gone`: how many objects were removed. */
  released(source: string, reason: string, gone: number): void
  /** Its last good snapshot was found on disk. */
  restored(source: string): void
  /** The program starts without it. */
  missing(source: string): void
}

// A systematic mistake in 100,000 objects must not write 100,000 lines.
const MAX_LINES = 20
const MAX_EVENTS = 200
/** A storm of changes is logged once a second. */
const LOG_EVERY_MS = 1000
const KINDS = ['listeners', 'backends', 'frontends'] as const

/** The first names of what changed and what was removed: `backend vote`, `-frontend old`. */
function namesOf({ upserts, deletes }: SnapshotDiff): string[] {
  const first = KINDS.flatMap((kind) => [
    ...upserts[kind].slice(0, MAX_LINES).map(({ id }) => `${kind.slice(0, -1)} ${id}`),
    ...deletes[kind].slice(0, MAX_LINES).map((id) => `-${kind.slice(0, -1)} ${id}`),
  ])
  return first.slice(0, MAX_LINES)
}

export function createJournal(
  log: Log,
  everyMs: number = LOG_EVERY_MS,
  onProblem: (problem: Problem, isResolved: boolean) => void = () => {},
): Journal {
  let known = new Map<string, Problem>()
  let currentProblems: () => readonly Problem[] = () => []
  /** Not logged yet. */
  let recent: Counts = NO_CHANGES
  let latest = 0

  const logChanges = atMostEvery(everyMs, () => {
    log.info({ number: latest, ...recent }, `table ${latest} is published`)
    recent = NO_CHANGES
  })
  const logProblems = atMostEvery(everyMs, () => logDifference(currentProblems()))

  function logDifference(now: readonly Problem[]): void {
    const current = new Map(now.map((problem) => [identityOf(problem), problem]))
    const added = [...current].filter(([identity]) => !known.has(identity))
    const resolved = [...known].filter(([identity]) => !current.has(identity))
    known = current
    for (const [, problem] of added.slice(0, MAX_EVENTS)) onProblem(problem, false)
    for (const [, problem] of resolved.slice(0, MAX_EVENTS)) onProblem(problem, true)
    for (const [, problem] of added.slice(0, MAX_LINES))
      log.warn({ problem }, describeProblem(problem))
    if (added.length > MAX_LINES) log.warn({}, `and ${added.length - MAX_LINES} more problems`)
    for (const [, problem] of resolved.slice(0, MAX_LINES)) {
      log.info({ problem }, `no longer: ${describeProblem(problem)}`)
    }
    if (resolved.length > MAX_LINES)
      log.info({}, `and ${resolved.length - MAX_LINES} more no longer`)
  }

  return {
    published(number, changes) {
      recent = add(recent, changes)
      latest = number
      const objects = namesOf(changes)
      log.debug({ number, objects }, `table ${number} is posted: ${objects.join(', ')}`)
      logChanges()
    },
    problems(now) {
      currentProblems = now
      logProblems()
    },
    lost(source, error, hasDeclared) {
      const rest = hasDeclared ? 'is lost, what it declared last stays' : 'cannot be read yet'
      log.error({ source, error: error.message }, `source "${source}" ${rest}: ${error.message}`)
    },
    recovered(source) {
      log.info({ source }, `source "${source}" is back`)
    },
    held(source, message) {
      log.warn({ source }, `source "${source}": ${message}`)
    },
    released(source, reason, gone) {
      if (gone === 0) log.info({ source }, `source "${source}": what had vanished is back`)
      else {
        const what = gone === 1 ? '1 object is gone' : `${gone} objects are gone`
        log.warn({ source, gone }, `source "${source}": ${what}, which is confirmed: ${reason}`)
      }
    },
    restored(source) {
      log.warn({ source }, `source "${source}" is away: its last good snapshot is in force`)
    },
    missing(source) {
      log.error({ source }, `source "${source}" has not responded: starting without it`)
    },
  }
}

interface Counts {
  readonly frontends: number
  readonly backends: number
  readonly listeners: number
  readonly removed: number
}

function add(counts: Counts, { upserts, deletes }: SnapshotDiff): Counts {
  const { frontends, backends, listeners, removed } = counts
  return {
    frontends: frontends + upserts.frontends.length,
    backends: backends + upserts.backends.length,
    listeners: listeners + upserts.listeners.length,
    removed:
      removed + deletes.frontends.length + deletes.backends.length + deletes.listeners.length,
  }
}

const NO_CHANGES: Counts = { frontends: 0, backends: 0, listeners: 0, removed: 0 }

// Without the position: a problem that moves with the lines above it is still the same.
function identityOf({ kind, id, source, message }: Problem): string {
  return JSON.stringify([kind, id, source, message])
}

/** Returns a function that runs `run` immediately, but at most once in `everyMs`: a call within that time runs it at its end. */
function atMostEvery(everyMs: number, run: () => void): () => void {
  let timer: NodeJS.Timeout | null = null
  let isDue = false

  function pause(): void {
    timer = setTimeout(() => {
      timer = null
      if (isDue) call()
    }, everyMs)
    timer.unref()
  }

  function call(): void {
    isDue = timer !== null
    if (isDue) return
    pause()
    run()
  }
  return call
}
