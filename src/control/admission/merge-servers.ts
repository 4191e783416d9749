/**
 * The servers of one backend: those inside it (inline) and those with keys of their own. Where two clash:
 *
 *   same id    the one of the earlier source is in force; in one source the one with a key, whose writer owns it
 *   same url   the one of the earlier source; in one source the inline one, then the lower id
 *
 * A key whose value cannot be used, and never could, clashes with nothing. The order of writing plays no part.
 */
import type { Server } from '../../model/snapshot.ts'
import type { ObjectRecord } from './object-record.ts'
import type { Decisions } from './decisions.ts'

interface Candidate {
  readonly server: Server
  /** Precedence of its source: the lower one wins. */
  readonly rank: number
  /** Null: it is inline. */
  readonly record: ObjectRecord<Server> | null
}

export interface InlineServers {
  readonly servers: readonly Server[]
  /** Precedence of the backend's source. */
  readonly rank: number
}

export function mergeServers(
  inlineServers: InlineServers,
  keys: Iterable<ObjectRecord<Server>>,
  rankOf: (source: string) => number,
  decisions: Decisions,
): readonly Server[] {
  const inline = new Map(inlineServers.servers.map((server) => [server.id, server]))
  const keyed: Candidate[] = []
  for (const record of keys) {
    // An earlier conflict may be over. Two sources with the same id are a conflict of sources/merge.ts.
    decisions.setConflict('server', record, null)
    if (record.inForce === null) continue
    const { object: server, source } = record.inForce
    const rank = rankOf(source)
    if (rank > inlineServers.rank && inline.has(server.id)) continue
    inline.delete(server.id)
    keyed.push({ server, rank, record })
  }
  const candidates = [
    ...[...inline.values()].map((server): Candidate => {
      return { server, rank: inlineServers.rank, record: null }
    }),
    ...keyed,
  ]

  const byUrl = new Map<string, Candidate>()
  for (const candidate of candidates) {
    const other = byUrl.get(candidate.server.url)
    if (other === undefined || wins(candidate, other)) byUrl.set(candidate.server.url, candidate)
  }
  for (const { record, server } of keyed) {
    const winner = byUrl.get(server.url)?.server.id
    if (record === null || winner === server.id) continue
    const message = `${JSON.stringify(server.url)} is already the server "${winner}"`
    decisions.setConflict('server', record, { message, code: 'same-url' })
  }
  return [...byUrl.values()].map(({ server }) => server)
}

function wins(one: Candidate, other: Candidate): boolean {
  if (one.rank !== other.rank) return one.rank < other.rank
  const order = (one.record === null ? 0 : 1) - (other.record === null ? 0 : 1)
  return order === 0 ? one.server.id < other.server.id : order < 0
}
