/**
 * An exception in a pass is a fault of Sluice itself, and affects only the object that it concerns: the object is set aside, its
 * version in force stays, and every other object is applied. The throw is logged with its stack and counted, so that it is not
 * mistaken for an error in the object. If no object can be named, the pass is held: the previous table stays.
 */
import { quote } from '../model/parsed.ts'
import type { Log } from '../observe/log.ts'

/** `object` null: it is not known which one. */
export type OnFault = (
  object: { readonly kind: string; readonly id: string } | null,
  error: unknown,
) => void

/** Where one was met: while an object was admitted, published, watched by the health monitor or scaled; in a serving thread, at a change or an exchange. */
export type FaultStage = 'admit' | 'publish' | 'guard' | 'scale' | 'apply' | 'exchange'

export interface Faults {
  /** `what` the fault did, for people: `ended an exchange`. `stack`: of the throw. */
  note(stage: FaultStage, what: string, stack: string): void
  at(stage: FaultStage): OnFault
  counts(): Readonly<Record<FaultStage, number>>
}

/** A repeated fault is logged once in this time. */
const LOG_EVERY_MS = 60_000

/** `now`: ms, monotonic. */
export function createFaults(log: Pick<Log, 'error'>, now: () => number): Faults {
  const counts = { admit: 0, publish: 0, guard: 0, scale: 0, apply: 0, exchange: 0 }
  let logged = { text: '', at: -Infinity }

  function note(stage: FaultStage, what: string, stack: string): void {
    counts[stage]++
    const text = `${what} ${stack}`
    if (text === logged.text && now() - logged.at < LOG_EVERY_MS) return
    logged = { text, at: now() }
    log.error({ stage, stack }, `a fault of Sluice ${what}`)
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
  admit: 'checked',
  publish: 'published',
  guard: 'watched',
  scale: 'scaled',
  apply: 'applied',
  exchange: 'served',
}

/** The message of the object in /api/table. */
export function describeFault(error: unknown): string {
  return `cannot be used: a fault of the proxy met it, which the log has whole (${faultMessage(error)})`
}

/** The name and the message of what was thrown, in one quoted line. */
export function faultMessage(error: unknown): string {
  // A message may quote anything of the object, of any length.
  return error instanceof Error ? `${error.name}: ${quote(error.message)}` : quote(String(error))
}
