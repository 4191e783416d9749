/**
 * A delta on its way to the threads, in chunks that each take a thread about a millisecond: requests are served throughout
 * a change of 100,000 routes, and neither side ever holds all of its text. The order is: backends, frontends, deletes
 * of frontends, listeners, deletes of backends.
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

/** `before`: the number that is in force until the last chunk is applied. */
export function splitDelta(delta: Delta, before: number): readonly DeltaChunk[] {
  const { number, upserts, deletes } = delta
  const size =
    upserts.backends.length +
    upserts.frontends.length +
    deletes.frontends.length +
    deletes.backends.length
  if (size <= CHUNK_SIZE) return [toChunk(delta)]
  const parts: readonly Partial<Changes>[] = [
    ...inPieces(upserts.backends, ({ object }) => object.servers.length).map((backends) => ({
      upserts: { ...NONE.upserts, backends },
    })),
    ...inPieces(upserts.frontends).map((frontends) => ({
      upserts: { ...NONE.upserts, frontends },
    })),
    ...inPieces(deletes.frontends).map((frontends) => ({
      deletes: { ...NONE.deletes, frontends },
    })),
    {
      upserts: { ...NONE.upserts, listeners: upserts.listeners },
      deletes: { ...NONE.deletes, listeners: deletes.listeners },
    },
    ...inPieces(deletes.backends).map((backends) => ({ deletes: { ...NONE.deletes, backends } })),
  ]
  const last = parts.length - 1
  return parts.map((part, at) => toChunk({ ...NONE, ...part, number: at < last ? before : number }))
}

type Changes = Pick<Delta, 'upserts' | 'deletes'>

const NONE: Changes = {
  upserts: { listeners: [], backends: [], frontends: [] },
  deletes: { listeners: [], backends: [], frontends: [] },
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
