/**
 * The hosts of a standalone Swarm (before Docker 1.12) as its agents write them into a key-value store: the key and its value
 * are the address of an engine, `docker/swarm/nodes/10.0.0.1:2375` = `10.0.0.1:2375`. Each is a server here, so that every
 * registry that has layouts can be read.
 */
import { quote } from '../../model/parsed.ts'
import type { Layout } from '../layout.ts'
import type { DeclaredObject } from '../provider.ts'
import { parseEndpoint } from '../registry/options.ts'

const PLAIN_PORT = 2375

export const hostsLayout: Layout = {
  name: 'docker/swarm/nodes',
  groupOf: (path) => (path.includes('/') ? null : path),
  read: (entries) => entries.map(readHost),
  pathOf: () => null,
}

function readHost({
  path,
  key,
  text,
  fault,
}: {
  readonly path: string
  readonly key: string
  readonly text: string | null
  readonly fault?: string
}): DeclaredObject {
  const written = text?.trim() || path
  const object = { kind: 'server', id: `hosts/${path}`, value: undefined, key } as const
  if (fault !== undefined) return { ...object, fault }
  const address = parseEndpoint(written, PLAIN_PORT)
  if (address?.ok === true) return { ...object, value: address.value }
  const reason = address === null ? 'it must be host:port' : address.reason
  return { ...object, fault: `names no engine, ${quote(written)}: ${reason}` }
}
