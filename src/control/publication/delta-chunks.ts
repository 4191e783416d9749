/**
 * A delta on its way to the threads, in chunks that each take a thread about a millisecond: requests are served throughout
 * a change of 100,000 routes, and neither side ever holds all of its text. The order is: backends, frontends, deletes,
 * listeners.
 */
import type { Delta } from '../../model/snapshot.ts'

export interface DeltaChunk {
  /** The number in force in a thread that has applied it: only the last chunk has the delta's own number. */
  readonly number: number
  /** JSON of a `Delta`, made on the first call, once for all threads. */
  text(): string
}

/** Routes, servers or ids in one chunk. */
const CHUNK_SIZE = 256

const EMPTY: Omit<Delta, 'number'> = {
  upserts: { listeners: [], backends: [], frontends: [] },
  deletes: { listeners: [], backends: [], frontends: [] },
}

/** `before`: the number that is in force until the last chunk is applied. */
export function splitDelta(delta: Delta, before: number): readonly DeltaChunk[] {
  const { number, upserts, deletes } = delta
  const size =
    upserts.backends.length +
    upserts.frontends.length +
    deletes.frontends.length +
    deletes.backends.length
  if (size <= CHUNK_SIZE) return [toChunk(delta)]
  return [
    ...inPieces(upserts.backends, ({ object }) => object.servers.length).map((backends) =>
      toChunk({ ...EMPTY, number: before, upserts: { ...EMPTY.upserts, backends } }),
    ),
    ...inPieces(upserts.frontends).map((frontends) =>
      toChunk({ ...EMPTY, number: before, upserts: { ...EMPTY.upserts, frontends } }),
    ),
    ...inPieces(deletes.frontends).map((frontends) =>
      toChunk({ ...EMPTY, number: before, deletes: { ...EMPTY.deletes, frontends } }),
    ),
    ...inPieces(deletes.backends).map((backends) =>
      toChunk({ ...EMPTY, number: before, deletes: { ...EMPTY.deletes, backends } }),
    ),
    toChunk({
      number,
      upserts: { ...EMPTY.upserts, listeners: upserts.listeners },
      deletes: { ...EMPTY.deletes, listeners: deletes.listeners },
    }),
  ]
}

function inPieces<T>(items: readonly T[], weigh: (item: T) => number = () => 1): T[][] {
  const pieces: T[][] = []
  let weight = Infinity
  for (const item of items) {
    if (weight >= CHUNK_SIZE) {
      pieces.push([])
      weight = 0
    }
    pieces.at(-1)?.push(item)
    weight += weigh(item)
  }
  return pieces
}

function toChunk(delta: Delta): DeltaChunk {
  let text: string | null = null
  return { number: delta.number, text: () => (text ??= JSON.stringify(delta)) }
}
