/**
 * A delta on its way to the threads, in parts that each take a thread about a millisecond: a change of 100,000 routes lets
 * requests through all the time, and neither side ever holds all of its text. Parts keep the delta's order: backends,
 * frontends, what goes, listeners.
 */
import type { Delta } from '../../model/snapshot.ts'

export interface Part {
  /** What is in force in a thread that has applied it: only the last part brings the delta's own number. */
  readonly number: number
  /** JSON of a `Delta`, made when the first thread wants it, once for all threads. */
  text(): string
}

/** Routes, servers or ids in one part. */
const PART_SIZE = 256

const nothing: Omit<Delta, 'number'> = {
  upserts: { listeners: [], backends: [], frontends: [] },
  deletes: { listeners: [], backends: [], frontends: [] },
}

/** `before`: the number that is in force until the last part is applied. */
export function splitDelta(delta: Delta, before: number): readonly Part[] {
  const { number, upserts, deletes } = delta
  const size =
    upserts.backends.length +
    upserts.frontends.length +
    deletes.frontends.length +
    deletes.backends.length
  if (size <= PART_SIZE) return [toPart(delta)]
  return [
    ...inPieces(upserts.backends, ({ object }) => object.servers.length).map((backends) =>
      toPart({ ...nothing, number: before, upserts: { ...nothing.upserts, backends } }),
    ),
    ...inPieces(upserts.frontends).map((frontends) =>
      toPart({ ...nothing, number: before, upserts: { ...nothing.upserts, frontends } }),
    ),
    ...inPieces(deletes.frontends).map((frontends) =>
      toPart({ ...nothing, number: before, deletes: { ...nothing.deletes, frontends } }),
    ),
    ...inPieces(deletes.backends).map((backends) =>
      toPart({ ...nothing, number: before, deletes: { ...nothing.deletes, backends } }),
    ),
    toPart({
      number,
      upserts: { ...nothing.upserts, listeners: upserts.listeners },
      deletes: { ...nothing.deletes, listeners: deletes.listeners },
    }),
  ]
}

function inPieces<T>(items: readonly T[], weigh: (item: T) => number = () => 1): T[][] {
  const pieces: T[][] = []
  let weight = Infinity
  for (const item of items) {
    if (weight >= PART_SIZE) {
      pieces.push([])
      weight = 0
    }
    pieces.at(-1)?.push(item)
    weight += weigh(item)
  }
  return pieces
}

function toPart(delta: Delta): Part {
  let text: string | null = null
  return { number: delta.number, text: () => (text ??= JSON.stringify(delta)) }
}
