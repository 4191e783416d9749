/**
 * `sluice.listen`: a port of this machine that leads to a service without a route. Labels are trusted less than a file, so the
 * operator gives the address (`listen` of the source), and a label only an unprivileged port on it.
 */
import { quote } from '../../model/parsed.ts'
import { define, type Definition } from './definition.ts'
import type { LabelRules, LabelSourceKind } from './labelled.ts'

export interface LocalPort {
  readonly key: string
  /** The label, for messages, and its text. */
  readonly label: string
  readonly text: string
  readonly isStream: boolean
  readonly backend: string
  /** Why the port must not be opened. */
  readonly faults: readonly string[]
}

const LOWEST_PORT = 1024

/** Its name has the port, so that a second service on it is reported as another definition of the same listener. */
export function defineLocalPort(
  { key, label, text, isStream, backend, faults }: LocalPort,
  { listen, kind }: LabelRules & { readonly kind: LabelSourceKind },
): Definition {
  const port = /^\d{4,5}$/.test(text) ? Number(text) : 0
  const isPort = port >= LOWEST_PORT && port <= 65_535
  const found = [...faults]
  if (!isPort) {
    found.push(`label ${quote(label)} must be a port from 1024 to 65535, not ${quote(text)}`)
  }
  if (listen === null) {
    found.push(
      `label ${quote(label)} is not permitted: the source has no option listen with the address to listen on`,
    )
  }
  const value = {
    address: `${listen}:${port}`,
    ...(isStream ? { protocol: 'tcp' } : {}),
    backend,
  }
  const name = `${kind}-${isPort ? port : backend}`
  return define({ kind: 'listener', name, key, value, faults: found })
}
