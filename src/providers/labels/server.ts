/** The server of an instance in one of its backends. */
import { bracketHost } from '../../model/address.ts'
import { quote } from '../../model/parsed.ts'
import type { Scheme } from '../../model/server-url.ts'
import { readPlain } from '../../document/referred.ts'
import { define, type Definition } from './definition.ts'
import type { Labelled } from './labelled.ts'

/** Texts of labels; null: not written. */
export interface ServerTexts {
  readonly port: string | null
  readonly scheme: string | null
  readonly weight?: string | null
  readonly backup?: string | null
  /** What people write the port and the scheme in, for messages: `label sluice.port`, `VIRTUAL_PORT`. */
  readonly names: { readonly port: string; readonly scheme: string }
  /** Several ports and no label: the lowest one, as in Traefik. Otherwise a label has to choose. */
  readonly takesLowest?: boolean
}

/** How the fault of a server without a port begins. */
export const NO_PORT = 'has no port'

const SCHEMES: readonly string[] = ['http', 'https', 'h2c', 'tcp', 'tls'] satisfies Scheme[]

/** Empty while the instance gets no requests. `backend`: its name. */
export function defineServer(
  item: Labelled,
  backend: string,
  texts: ServerTexts,
): readonly Definition[] {
  const { id, key } = item
  if (!item.isServing) return []
  const faults: string[] = []
  const port = choosePort(item, texts)
  if (typeof port === 'string') faults.push(port)
  const reached = typeof port === 'string' ? null : item.address(port)
  if (reached !== null && 'reason' in reached) faults.push(reached.reason)
  const scheme = (texts.scheme ?? 'http').toLowerCase()
  if (!SCHEMES.includes(scheme)) {
    faults.push(
      `${texts.names.scheme} must be http, https, h2c, tcp or tls, not ${quote(texts.scheme)}`,
    )
  }
  const weight = texts.weight ?? null
  const backup = texts.backup ?? null
  const value = {
    url:
      reached === null || 'reason' in reached
        ? ''
        : `${scheme}://${bracketHost(reached.host)}:${reached.port}`,
    ...(weight !== null
      ? { weight: readPlain(weight) ?? weight }
      : item.weight === undefined
        ? {}
        : { weight: item.weight }),
    ...(backup === null ? {} : { backup: readPlain(backup) ?? backup }),
  }
  return [define({ kind: 'server', name: backend, part: id, key, value, faults })]
}

/** Or what is wrong. */
function choosePort(
  { ports }: Labelled,
  { port, names, takesLowest }: ServerTexts,
): number | string {
  if (port !== null) {
    const number = /^\d{1,5}$/.test(port) ? Number(port) : 0
    return number >= 1 && number <= 65_535
      ? number
      : `${names.port} must be a port from 1 to 65535, not ${quote(port)}`
  }
  const [first] = ports
  if (first === undefined) return `${NO_PORT}: write the ${names.port}`
  if (ports.length === 1 || takesLowest === true) return first
  const shown = ports.slice(0, 10).join(', ')
  return `has several ports, ${shown}: choose one with the ${names.port}`
}

/** Of labels that begin in the same way. */
export function namesBelow(label: string): ServerTexts['names'] {
  return { port: `label ${label}.port`, scheme: `label ${label}.scheme` }
}
