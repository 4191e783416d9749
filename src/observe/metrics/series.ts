/**
 * Which objects get their own series at a scrape, and the counts of each. At most `limit` objects of a kind do, in the order in
 * which they were first seen; all others are summed in one row named `_other`, so that the response to a scrape stays small
 * with a table of any size. An object that has series keeps them until it is removed.
 *
 * Counters must never fall. So the row `_other` adds the gains of its members since the last scrape: the gains of a removed
 * member stay in it.
 */
import { COUNTERS, COUNT, SHARED } from '../../scoreboard/layout.ts'
import { ScoreboardView, type Scoreboard } from '../../scoreboard/scoreboard.ts'

export const OTHER = '_other'

export type Labels = Readonly<Record<string, string>>

export interface CountedObject {
  readonly labels: Labels
  readonly slot: number
}

export interface Row {
  readonly labels: Labels
  /** Null for `_other`, which is many objects. */
  readonly slot: number | null
  /** As COUNT, over all threads. */
  readonly counts: Float64Array
  readonly inFlight: number
  readonly connections: number
}

export interface Series {
  readonly rows: readonly Row[]
  /** Objects without series of their own. */
  readonly summed: number
}

export interface SeriesReader {
  /** Each object once. `idle` includes those without traffic so far. */
  read(objects: Iterable<CountedObject>, idle: boolean): Series
}

/** A member of `_other`, with its counts as of the last scrape. */
interface Member {
  readonly counts: Float64Array
  scrape: number
}

const TRAFFIC = [0, 1, 2, 3, 4, 5]
  .map((code) => COUNT.status + code)
  .concat(COUNT.connectFailures, COUNT.requests)

export function createSeriesReader(
  scoreboard: Scoreboard,
  readCounts: ReadCounts,
  limit: number,
  labelNames: readonly string[],
): SeriesReader {
  // By slot, with the last scrape that included it. The slot of a removed object is zeroed before another object takes it.
  const shown = new Map<number, number>()
  const members = new Map<number, Member>()
  const gained = new Float64Array(COUNTERS)
  const otherLabels = Object.fromEntries(labelNames.map((name) => [name, OTHER]))
  let scrape = 0

  function read(objects: Iterable<CountedObject>, idle: boolean): Series {
    scrape++
    const rows: Row[] = []
    const other = { inFlight: 0, connections: 0 }
    const counts = new Float64Array(COUNTERS)
    for (const { labels, slot } of objects) {
      readCounts(slot, counts)
      const inFlight = scoreboard.underWay(slot)
      const connections = scoreboard.shared(slot, SHARED.connections)
      const known = shown.has(slot) || members.has(slot)
      if (!known && !idle && inFlight === 0 && !hasTraffic(counts)) continue
      if (isShown(slot, labels)) {
        rows.push({ labels, slot, counts: counts.slice(), inFlight, connections })
        shown.set(slot, scrape)
      } else {
        addGain(slot, counts)
        other.inFlight += inFlight
        other.connections += connections
      }
    }
    for (const [slot, seen] of shown) if (seen !== scrape) shown.delete(slot)
    for (const [slot, member] of members) if (member.scrape !== scrape) members.delete(slot)
    if (members.size > 0 || hasTraffic(gained)) {
      rows.push({ labels: otherLabels, counts: gained.slice(), ...other, slot: null })
    }
    return { rows, summed: members.size }
  }

  function isShown(slot: number, labels: Labels): boolean {
    if (shown.has(slot)) return true
    if (members.has(slot) || shown.size >= limit) return false
    // An object that is itself called `_other` would make the same series twice.
    return labelNames.some((name) => labels[name] !== OTHER)
  }

  function addGain(slot: number, counts: Float64Array): void {
    const member = members.get(slot) ?? { counts: new Float64Array(COUNTERS), scrape }
    for (let counter = 0; counter < COUNTERS; counter++) {
      const count = counts[counter] ?? 0
      const last = member.counts[counter] ?? 0
      // Less than before: the slot was zeroed for another object.
      gained[counter] = (gained[counter] ?? 0) + (count >= last ? count - last : count)
    }
    member.counts.set(counts)
    member.scrape = scrape
    members.set(slot, member)
  }

  return { read }
}

function hasTraffic(counts: Float64Array): boolean {
  return TRAFFIC.some((counter) => (counts[counter] ?? 0) > 0)
}

/** Fills `into`, which has COUNTERS cells. */
export type ReadCounts = (slot: number, into: Float64Array) => void

/**
 * Reads all counters of an object at once, over all threads. `Scoreboard.sum` finds the slot again for each counter: 20,000
 * objects of two threads take 10 ms that way and 3.5 ms this way, and a scrape blocks the main thread for as long.
 */
export function createCountsReader(scoreboard: Scoreboard): ReadCounts {
  const memory = scoreboard.memory()
  const views = Array.from({ length: scoreboard.threads }, (_, thread) => {
    return new ScoreboardView(memory, thread)
  })
  let held = scoreboard.size

  return (slot, into) => {
    if (held.pages < scoreboard.size.pages) {
      for (const view of views) view.add(scoreboard.addedSince(held))
      held = scoreboard.size
    }
    into.fill(0)
    for (const view of views) {
      const { counts, base } = view.slot(slot)
      for (let counter = 0; counter < COUNTERS; counter++) {
        into[counter] = (into[counter] ?? 0) + (counts[base + counter] ?? 0)
      }
    }
  }
}
