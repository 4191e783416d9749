/**
 * What a successor waits for before it accepts connections: the program before it knows its servers and has read its sources, and
 * a client must not notice that this one is new.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { ListeningSocket } from '../../model/listening-socket.ts'
import type { Problem } from '../../model/problem.ts'
import type { SourceReport } from '../../observe/reports/source-report.ts'

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

/** Throws if a listener of the program before it is set aside: that program serves its last good version, and this one has none. */
export function refuseLostListeners(
  sockets: readonly Pick<ListeningSocket, 'listener'>[],
  setAside: readonly (Problem & { readonly serving: boolean })[],
): void {
  const lost = setAside.filter(
    ({ kind, id, serving }) =>
      kind === 'listener' && !serving && sockets.some(({ listener }) => listener === id),
  )
  if (lost.length === 0) return
  throw new Error(lost.map(({ id, message }) => `listener "${id}": ${message}`).join('; '))
}
