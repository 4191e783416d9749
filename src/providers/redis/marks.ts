/**
 * By what it is known that a Redis has gone back: the number of the last write of our own writers and the last id of their
 * log, and by which process it is served. A process that was started again has what it had written down, which may be
 * an older dump; other writers leave no numbers. They are read before and after each list, and kept also where the watch
 * ends: a Redis that is lost is watched anew.
 */
import { readJsonMap } from '../registry/json-value.ts'
import { isReply } from './failure.ts'
import type { Link } from './link.ts'
import type { KeyNames } from './names.ts'

/** Why what a list lacks may have been lost. */
export type Loss = 'rewound' | 'restarted'

export interface Marks {
  /** Since the last call, of any watch. Null: nothing may have been lost. */
  look(homes: readonly Link[], names: KeyNames): Promise<Loss | null>
  /** What was read before the last list. */
  readonly text: string
  recall(text: string): void
}

export interface Position {
  /** Of the log, `1526919030474-55`; `0-0`: there is none. */
  readonly id: string
  readonly rev: number
}

interface Mark extends Position {
  /** By address; those that do not say are left out. */
  readonly runs: Readonly<Record<string, string>>
}

export function createMarks(): Marks {
  let seen: Mark | null = null

  return {
    async look(homes, names) {
      const now = await readMark(homes, names)
      const loss = seen === null ? null : lossBetween(seen, now)
      seen = { ...now, runs: { ...seen?.runs, ...now.runs } }
      return loss
    },
    get text() {
      return seen === null ? '' : JSON.stringify(seen)
    },
    recall(text) {
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

function lossBetween(before: Mark, now: Mark): Loss | null {
  if (now.rev < before.rev || isAfter(before.id, now.id)) return 'rewound'
  const isOther = Object.entries(now.runs).some(([where, run]) => {
    const known = before.runs[where]
    return known !== undefined && known !== run
  })
  return isOther ? 'restarted' : null
}

async function readMark(homes: readonly Link[], names: KeyNames): Promise<Mark> {
  const runs: Record<string, string> = {}
  for (const home of homes) {
    const run = await readRun(home)
    if (run !== null) runs[home.where] = run
  }
  const [first] = homes
  const hasLog = first !== undefined && (homes.length === 1 || names.isTagged)
  const position = hasLog ? await readPosition(first, names) : { id: '0-0', rev: 0 }
  return { ...position, runs }
}

/** Null: it may not be asked. */
async function readRun({ redis }: Link): Promise<string | null> {
  try {
    return /^run_id:(\w+)/m.exec(String(await redis.info('server')))?.[1] ?? null
  } catch (error) {
    if (isReply(error)) return null
    throw error
  }
}

export async function readPosition({ redis }: Link, names: KeyNames): Promise<Position> {
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
