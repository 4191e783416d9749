/** What the log is told of the control plane: a line for each applied change, and one for each problem that comes or heals. */
import { describeProblem, type Problem } from '../model/problem.ts'
import type { EventLog } from '../observe/log.ts'
import type { SnapshotDiff } from './publication/diff.ts'

export interface Journal {
  changed(number: number, changes: SnapshotDiff): void
  /** All problems there are now. */
  problems(now: () => readonly Problem[]): void
  /** `hasDeclared`: something of it is in force. */
  lost(source: string, error: Error, hasDeclared: boolean): void
  back(source: string): void
  /** Objects vanished; their removal is held. */
  held(source: string, message: string): void
  /** What vanished is held no more: so many objects are gone. */
  holdEnded(source: string, reason: string, gone: number): void
  /** What it declared before this start was found on disk. */
  restored(source: string): void
  /** The start goes on without it. */
  without(source: string): void
}

// A file with a systematic mistake in 100,000 objects is one mistake.
const maxLines = 20
const tellEveryMs = 1000

export function createJournal(log: EventLog): Journal {
  let known = new Map<string, Problem>()
  let look: () => readonly Problem[] = () => []
  /** Not told yet. */
  let recent: Counts = none
  let latest = 0

  // A storm of changes is not told line by line.
  const tellChanges = atMostEvery(tellEveryMs, () => {
    log.info({ number: latest, ...recent }, `table ${latest} is published`)
    recent = none
  })
  const tellProblems = atMostEvery(tellEveryMs, () => tellDifference(look()))

  function tellDifference(now: readonly Problem[]): void {
    const fresh = new Map(now.map((problem) => [identityOf(problem), problem]))
    const come = [...fresh].filter(([identity]) => !known.has(identity))
    const gone = [...known].filter(([identity]) => !fresh.has(identity))
    known = fresh
    for (const [, problem] of come.slice(0, maxLines))
      log.warn({ problem }, describeProblem(problem))
    if (come.length > maxLines) log.warn({}, `and ${come.length - maxLines} more problems`)
    for (const [, problem] of gone.slice(0, maxLines)) {
      log.info({ problem }, `no longer: ${describeProblem(problem)}`)
    }
    if (gone.length > maxLines) log.info({}, `and ${gone.length - maxLines} more no longer`)
  }

  return {
    changed(number, changes) {
      recent = add(recent, changes)
      latest = number
      tellChanges()
    },
    problems(now) {
      look = now
      tellProblems()
    },
    lost(source, error, hasDeclared) {
      const rest = hasDeclared ? 'is lost, what it declared last stays' : 'cannot be read yet'
      log.error({ source, error: error.message }, `source "${source}" ${rest}: ${error.message}`)
    },
    back(source) {
      log.info({ source }, `source "${source}" is back`)
    },
    held(source, message) {
      log.warn({ source }, `source "${source}": ${message}`)
    },
    holdEnded(source, reason, gone) {
      if (gone === 0) log.info({ source }, `source "${source}": what had vanished is back`)
      else {
        const what = gone === 1 ? '1 object is gone' : `${gone} objects are gone`
        log.warn({ source, gone }, `source "${source}": ${what}, which is confirmed: ${reason}`)
      }
    },
    restored(source) {
      log.warn({ source }, `source "${source}" is away: its last good snapshot is in force`)
    },
    without(source) {
      log.error({ source }, `source "${source}" has not answered: starting without it`)
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

const none: Counts = { frontends: 0, backends: 0, listeners: 0, removed: 0 }

// Without the place: a problem that moves with the lines above it is still the same one.
function identityOf({ kind, id, source, message }: Problem): string {
  return JSON.stringify([kind, id, source, message])
}

/** Returns a function that runs `run` at once, but at most once in `everyMs`: a call within that time runs it at its end. */
function atMostEvery(everyMs: number, run: () => void): () => void {
  let timer: NodeJS.Timeout | null = null
  let isAsked = false

  function rest(): void {
    timer = setTimeout(() => {
      timer = null
      if (isAsked) ask()
    }, everyMs)
    timer.unref()
  }

  function ask(): void {
    isAsked = timer !== null
    if (isAsked) return
    rest()
    run()
  }
  return ask
}
