/**
 * Which servers may have failed since the last look. Threads raise one of a thousand alarms that a server shares with others,
 * so that the counts of all servers need not be read to find the few that fail.
 */
import { ALARMS } from '../scoreboard/layout.ts'
import { alarmOf, type Scoreboard } from '../scoreboard/scoreboard.ts'

export interface Alarms<T> {
  add(slot: number, listener: T): void
  remove(slot: number, listener: T): void
  /** Tells `raised` whose alarms have moved; one that shares it with several of its own is told as often. */
  look(raised: (listener: T) => void): void
}

export function createAlarms<T>(scoreboard: Scoreboard): Alarms<T> {
  const cells = scoreboard.alarms()
  const seen = cells.slice()
  const bySlot = Array.from({ length: ALARMS }, () => new Map<number, T>())
  const of = (slot: number): Map<number, T> => bySlot[alarmOf(slot)] ?? new Map<number, T>()

  return {
    add(slot, listener) {
      of(slot).set(slot, listener)
    },
    remove(slot, listener) {
      // It may be another's by now.
      if (of(slot).get(slot) === listener) of(slot).delete(slot)
    },
    look(raised) {
      for (let at = 0; at < ALARMS; at++) {
        const count = cells[at] ?? 0
        if (count === seen[at]) continue
        seen[at] = count
        for (const listener of bySlot[at]?.values() ?? []) raised(listener)
      }
    },
  }
}
