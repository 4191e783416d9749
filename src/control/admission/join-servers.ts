/**
 * The servers of one backend, of those that stand inside it and those under keys of their own. Precedence holds for each:
 *
 *   one id    the earlier source's holds. In one source the key does, which is its writer's, before the one inside
 *   one url   the earlier source's holds; in one source the one inside, then the lower id
 *
 * A key whose value cannot be used, and never could, takes no place. Nothing depends on the order of writing.
 */
import type { Server } from '../../model/snapshot.ts'
import type { ObjectRecord } from './object-record.ts'
import type { Decisions } from './decisions.ts'

interface Claim {
  readonly server: Server
  /** Of its source: lower goes before. */
  readonly rank: number
  /** Null: it stands inside the backend. */
  readonly record: ObjectRecord<Server> | null
}

export interface Inside {
  readonly servers: readonly Server[]
  /** Of the backend's source. */
  readonly rank: number
}

export function joinServers(
  inside: Inside,
  keys: Iterable<ObjectRecord<Server>>,
  rankOf: (source: string) => number,
  decisions: Decisions,
): readonly Server[] {
  const within = new Map(inside.servers.map((server) => [server.id, server]))
  const taking: Claim[] = []
  for (const record of keys) {
    // What was said of it may hold no more; what it stands back for is a conflict of the sources, see merge.ts.
    decisions.setConflict('server', record, null)
    if (record.inForce === null) continue
    const { object: server, source } = record.inForce
    const rank = rankOf(source)
    if (rank > inside.rank && within.has(server.id)) continue
    within.delete(server.id)
    taking.push({ server, rank, record })
  }
  const claims = [
    ...[...within.values()].map((server): Claim => ({ server, rank: inside.rank, record: null })),
    ...taking,
  ]

  const holders = new Map<string, Claim>()
  for (const claim of claims) {
    const holder = holders.get(claim.server.url)
    if (holder === undefined || goesBefore(claim, holder)) holders.set(claim.server.url, claim)
  }
  for (const { record, server } of taking) {
    const holder = holders.get(server.url)?.server.id
    if (record === null || holder === server.id) continue
    const twice = `${JSON.stringify(server.url)} is already the server "${holder}"`
    decisions.setConflict('server', record, twice)
  }
  return [...holders.values()].map(({ server }) => server)
}

function goesBefore(one: Claim, other: Claim): boolean {
  if (one.rank !== other.rank) return one.rank < other.rank
  const isInside = (one.record === null ? 0 : 1) - (other.record === null ? 0 : 1)
  return isInside === 0 ? one.server.id < other.server.id : isInside < 0
}
