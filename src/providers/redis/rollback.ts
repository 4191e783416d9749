/**
 * Detects that a Redis server holds an earlier state than before: by the number of the last write of Sluice, the last id of
 * their log, and the run id of the server. A server that was restarted has loaded what it had saved, which may be an older
 * dump; other writers leave no numbers. The values are read before and after each list, and outlive a watch.
 */
import { readJsonMap } from '../registry/json-value.ts'
import { isReply } from './failure.ts'
import type { RedisConnection } from './connection.ts'
import type { KeyNames } from './key-names.ts'

/** Why keys that are missing from a list may have been lost, not deleted. */
export type Loss = 'rewound' | 'restarted'

export interface RollbackDetector {
  /** Compares with the last call, in any watch. Null: nothing can have been lost. */
  detect(nodes: readonly RedisConnection[], names: KeyNames): Promise<Loss | null>
  /** What was read last, for `restore` in a later process; empty if nothing was. */
  readonly checkpoint: string
  restore(text: string): void
}

export interface StreamPosition {
  /** Of the last log entry, `1526919030474-55`; `0-0`: the log is empty. */
  readonly id: string
  readonly rev: number
}

interface Checkpoint extends StreamPosition {
  /** Run ids by address, of the servers that report theirs. */
  readonly runs: Readonly<Record<string, string>>
}

export function createRollbackDetector(): RollbackDetector {
  let seen: Checkpoint | null = null

  return {
    async detect(nodes, names) {
      const now = await readCheckpoint(nodes, names)
      const loss = seen === null ? null : lossBetween(seen, now)
      seen = { ...now, runs: { ...seen?.runs, ...now.runs } }
      return loss
    },
    get checkpoint() {
      return seen === null ? '' : JSON.stringify(seen)
    },
    restore(text) {
      const map = readJsonMap(text)
      if (!map.ok) return
      const { rev, id, runs } = map.value
      if (typeof rev !== 'number' || typeof id !== 'string' || !/^\d+-\d+$/.test(id)) return
      if (typeof runs !== 'object' || runs === null) return
      const texts = Object.entries(runs).filter((run): run is [string, string] => {
        return typeof run[1] === 'string'
      })
      seen = { rev, id, runs: Object.fromEntries(texts) }
    },
  }
}

function lossBetween(before: Checkpoint, now: Checkpoint): Loss | null {
  if (now.rev < before.rev || isAfter(before.id, now.id)) return 'rewound'
  const isOther = Object.entries(now.runs).some(([address, run]) => {
    const known = before.runs[address]
    return known !== undefined && known !== run
  })
  return isOther ? 'restarted' : null
}

async function readCheckpoint(
  nodes: readonly RedisConnection[],
  names: KeyNames,
): Promise<Checkpoint> {
  const runs: Record<string, string> = {}
  for (const node of nodes) {
    const run = await readRun(node)
    if (run !== null) runs[node.address] = run
  }
  const [first] = nodes
  const hasLog = first !== undefined && (nodes.length === 1 || names.isTagged)
  const position = hasLog ? await readPosition(first, names) : { id: '0-0', rev: 0 }
  return { ...position, runs }
}

/** Null: INFO is not permitted. */
async function readRun({ redis }: RedisConnection): Promise<string | null> {
  try {
    return /^run_id:(\w+)/m.exec(String(await redis.info('server')))?.[1] ?? null
  } catch (error) {
    if (isReply(error)) return null
    throw error
  }
}

export async function readPosition(
  { redis }: RedisConnection,
  names: KeyNames,
): Promise<StreamPosition> {
  const replies = await redis
    .multi()
    .get(names.rev)
    .xrevrange(names.log, '+', '-', 'COUNT', 1)
    .exec()
  const [[revError, rev] = [null, null], [logError, last] = [null, null]] = replies ?? []
  if (revError !== null) throw revError
  if (logError !== null) throw logError
  const [entry] = Array.isArray(last) ? (last as readonly unknown[]) : []
  const [id] = Array.isArray(entry) ? (entry as readonly unknown[]) : []
  return { id: typeof id === 'string' ? id : '0-0', rev: Number(rev ?? 0) }
}

export function isAfter(a: string, b: string): boolean {
  const [aMs = 0n, aNumber = 0n] = a.split('-').map(BigInt)
  const [bMs = 0n, bNumber = 0n] = b.split('-').map(BigInt)
  return aMs > bMs || (aMs === bMs && aNumber > bNumber)
}
