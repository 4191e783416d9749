/** What a start needs of its sources and listeners, and the reasons of one that fails. */
import type { Control } from '../control/control.ts'
import type { Publisher } from '../control/publication/publisher.ts'
import type { Settings } from '../model/settings.ts'

/** A required source that cannot be read now may declare a listener later; the file alone cannot. */
export function mayWait({ sources }: Settings): boolean {
  return sources.some(({ required }) => required)
}

/** Throws with the reason of each required source that has declared nothing. */
export function requireSources(control: Control): void {
  const missing = control
    .sources()
    .filter(({ required, revision }) => required && revision === null)
  if (missing.length === 0) return
  const reasons = missing.map(({ name, error }) => `${name}: ${error ?? 'it does not respond'}`)
  throw new Error(`cannot read ${reasons.join('; ')}`)
}

export function noListener(
  publisher: Pick<Publisher, 'threadProblems'>,
  control: Pick<Control, 'setAside'>,
): string {
  const reasons = [
    ...publisher.threadProblems(),
    ...control.setAside().map(({ kind, id, message }) => `${kind} "${id}": ${message}`),
  ]
  return reasons.length > 0
    ? `no listener is open: ${reasons.join('; ')}`
    : 'no listener is declared: add one under "listeners", such as web: { address: 127.0.0.1:8080 }'
}
