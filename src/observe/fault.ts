/**
 * A throw in a pass is a fault of ours, and the object that it concerns pays for it alone: it is set aside, what of it is in
 * force stays, and every other object goes on. Logged with its stack and counted, so that it is not taken for a mistake of
 * who wrote the object. Where no object can be named the pass is held: the table before it stays.
 */
import { quote } from '../model/parsed.ts'
import type { EventLog } from '../observe/log.ts'

/** `object` null: it cannot be told which one. */
export type OnFault = (
  object: { readonly kind: string; readonly id: string } | null,
  error: unknown,
) => void

/** Where one was met: while an object was judged, published or watched by the health monitor; in a serving thread, at a change or an exchange. */
export const FAULT_STAGES = ['admit', 'publish', 'guard', 'apply', 'exchange'] as const
export type FaultStage = (typeof FAULT_STAGES)[number]

export interface Faults {
  /** `what` a fault of our own did, for people: `ended an exchange`. `stack`: of what was thrown. */
  note(stage: FaultStage, what: string, stack: string): void
  at(stage: FaultStage): OnFault
  counts(): Readonly<Record<FaultStage, number>>
}

/** The same one is not logged more often. */
const TELL_EVERY_MS = 60_000

/** `now`: ms, monotonic. */
export function createFaults(log: Pick<EventLog, 'error'>, now: () => number): Faults {
  const counts = { admit: 0, publish: 0, guard: 0, apply: 0, exchange: 0 }
  let told = { text: '', at: -Infinity }

  function note(stage: FaultStage, what: string, stack: string): void {
    counts[stage]++
    const text = `${what} ${stack}`
    if (text === told.text && now() - told.at < TELL_EVERY_MS) return
    told = { text, at: now() }
    log.error({ stage, stack }, `a fault of our own ${what}`)
  }

  return {
    note,
    at: (stage) => (object, error) => {
      const whose = object === null ? 'a change' : `${object.kind} ${quote(object.id)}`
      const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
      note(stage, `keeps ${whose} from being ${DONE[stage]}: what was in force stays`, stack)
    },
    counts: () => ({ ...counts }),
  }
}

const DONE: Readonly<Record<FaultStage, string>> = {
  admit: 'judged',
  publish: 'published',
  guard: 'watched',
  apply: 'applied',
  exchange: 'served',
}

/** The line that people read in the place of the object's own mistakes. */
export function describeFault(error: unknown): string {
  return `cannot be used: a fault of the proxy met it, which the log has whole (${messageOf(error)})`
}

function messageOf(error: unknown): string {
  // A message may hold anything of the object, of any length.
  return error instanceof Error ? `${error.name}: ${quote(error.message)}` : quote(String(error))
}
