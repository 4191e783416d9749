/**
 * What a successor waits for before it accepts connections: the program before it knows its servers and has read its sources, and
 * a client must not notice that this one is new.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Problem } from '../../model/problem.ts'
import type { SourceReport } from '../../observe/reports/source-report.ts'
import type { Predecessor } from './predecessor.ts'

const LOOK_EVERY_MS = 20
/** A server whose check has no result by then counts as it does at any start. */
const PROBED_WITHIN_MS = 5_000

/** Resolves when each server with a check has a first result. */
export async function untilProbed(
  states: () => Iterable<{ readonly state: string }>,
  isStopping: () => boolean,
): Promise<void> {
  const until = performance.now() + PROBED_WITHIN_MS
  while (performance.now() < until && !isStopping()) {
    if (!Array.from(states()).some(({ state }) => state === 'unknown')) return
    await delay(LOOK_EVERY_MS)
  }
}

/** Throws if a required source has declared nothing: the program before it serves what it has read of it. */
export function refuseEmptySources(sources: readonly SourceReport[]): void {
  const empty = sources.filter(
    ({ required, state, lastGood }) => required && state !== 'live' && lastGood?.serving !== true,
  )
  if (empty.length === 0) return
  const reasons = empty.map(
    ({ name, state, error }) => `source ${name} is ${state}${error === null ? '' : `: ${error}`}`,
  )
  throw new Error(reasons.join('; '))
}

/**
 * Throws if an object of the program before it would be lost: a listener that is open, or one of which that program serves the
 * last good version, while its declaration is invalid and this program has no version of it.
 */
export function refuseLostObjects(
  { sockets, lastGood }: Pick<Predecessor, 'sockets' | 'lastGood'>,
  setAside: readonly (Problem & { readonly serving: boolean })[],
): void {
  const served = new Set(lastGood.map(({ kind, id }) => `${kind} ${id}`))
  for (const { listener } of sockets) served.add(`listener ${listener ?? ''}`)
  const lost = setAside.filter(({ kind, id, serving }) => !serving && served.has(`${kind} ${id}`))
  if (lost.length === 0) return
  const reasons = lost
    .slice(0, MOST_SHOWN)
    .map(({ kind, id, message }) => `${kind} "${id}": ${message}`)
  const more = lost.length > MOST_SHOWN ? `; and ${lost.length - MOST_SHOWN} more` : ''
  throw new Error(`${reasons.join('; ')}${more}; ${HELP}`)
}

const MOST_SHOWN = 5
const HELP =
  'the running program serves an earlier version, which would be lost: mend what is declared, or remove it'
