/**
 * Which servers may have failed since the last check. Serving threads raise alarms; a server shares one of a thousand alarms
 * with others. So the health monitor finds the few servers that fail without reading the counts of all.
 */
import { ALARMS } from '../scoreboard/layout.ts'
import { alarmOf, type Scoreboard } from '../scoreboard/scoreboard.ts'

export interface Alarms<T> {
  add(slot: number, listener: T): void
  remove(slot: number, listener: T): void
  /** Calls `raised` for each listener of an alarm that was raised; once per slot, so possibly several times for one listener. */
  check(raised: (listener: T) => void): void
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
      // The slot may belong to another listener by now.
      if (of(slot).get(slot) === listener) of(slot).delete(slot)
    },
    check(raised) {
      for (let at = 0; at < ALARMS; at++) {
        const count = cells[at] ?? 0
        if (count === seen[at]) continue
        seen[at] = count
        for (const listener of bySlot[at]?.values() ?? []) raised(listener)
      }
    },
  }
}
