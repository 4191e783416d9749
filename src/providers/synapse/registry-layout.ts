/**
 * The znodes or keys of services, of which a registry is read for several at once: each child of a service's path is an
 * instance, and the data of the path itself (or of `generator_config_path`) configures the service. What is declared are
 * not servers of backends yet: the value of each object is an Instance, or the map of a configuration, and its `part` is the
 * path of its service.
 */
import { hash } from 'node:crypto'
import { bad, good, isMap, quote, type JsonMap, type Scalar } from '../../model/parsed.ts'
import { joinParts } from '../../model/names.ts'
import type { KeyEntry, Layout } from '../layout.ts'
import { toMemberId } from '../layouts/members/layout.ts'
import type { DeclaredObject } from '../provider.ts'
import { readJsonMap } from '../registry/json-value.ts'
import { readInstance, type Instance } from './instance.ts'

export interface Decode {
  readonly method: 'nerve' | 'serverset'
  /** Of server sets: the additional endpoint that is used; null: the service endpoint. */
  readonly endpoint: string | null
}

export interface RegistryPath {
  /** `part` of its objects. */
  readonly place: string
  /** Below the prefix. */
  readonly path: string
  /** Null: the path has a configuration only. */
  readonly decode: Decode | null
}

/** `base64_LENGTH_TEXT_NUMBER`: the instance is in the name of the znode. */
const ENCODED = /^base64_(\d{1,6})_(.*)$/

export function createRegistryLayout(paths: readonly RegistryPath[]): Layout {
  const byPath = new Map<string, RegistryPath[]>()
  const folders = new Set<string>()
  for (const one of paths) {
    byPath.set(one.path, [...(byPath.get(one.path) ?? []), one])
    for (let at = one.path.lastIndexOf('/'); at > 0; at = one.path.lastIndexOf('/', at - 1)) {
      folders.add(one.path.slice(0, at))
    }
  }

  const membersOf = (path: string): readonly RegistryPath[] => {
    const slash = path.lastIndexOf('/')
    return slash < 0 ? (byPath.get('') ?? []) : (byPath.get(path.slice(0, slash)) ?? [])
  }
  const isMember = (path: string): boolean =>
    path !== '' && membersOf(path).some(({ decode }) => decode !== null)

  return {
    name: 'synapse',
    groupOf: (path) => (byPath.has(path) || isMember(path) ? path : null),
    isNear: (path) => folders.has(path) || byPath.has(path) || isMember(path),
    read: (entries) =>
      entries.flatMap((entry) => [
        ...(byPath.get(entry.path) ?? []).flatMap(({ place }) => readConfig(place, entry)),
        ...membersOf(entry.path).flatMap(({ place, decode }) =>
          decode === null ? [] : readMember(place, decode, entry),
        ),
      ]),
    pathOf: () => null,
  }
}

function digest(text: string): string {
  return hash('sha1', text, 'hex').slice(0, 16)
}

function readConfig(place: string, { key, text }: KeyEntry): DeclaredObject[] {
  const about = { kind: 'backend', id: digest(place), part: place, key } as const
  if (text === null || text.trim() === '') return []
  const map = readJsonMap(text)
  return [
    map.ok ? { ...about, value: map.value } : { ...about, value: undefined, fault: map.reason },
  ]
}

function readMember(
  place: string,
  decode: Decode,
  { path, key, text, fault }: KeyEntry,
): DeclaredObject[] {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const about = {
    kind: 'server',
    id: joinParts(digest(place), toMemberId(name)),
    part: place,
    key,
  } as const
  const id = numberOf(name)
  const encoded = decodeName(name)
  if (encoded === null && text?.trim() === '') return []
  const map = encoded ?? (text === null ? bad(fault ?? 'cannot be read') : readJsonMap(text))
  const read: Scalar<Instance | null> = map.ok ? readMap(map.value, decode, id) : map
  if (!read.ok) return [{ ...about, value: undefined, fault: read.reason }]
  return read.value === null ? [] : [{ ...about, value: read.value }]
}

/** The digits after the last underscore, which ZooKeeper appends to names. */
function numberOf(name: string): number | null {
  const digits = name.slice(name.lastIndexOf('_') + 1)
  return /^\d{1,15}$/.test(digits) ? Number(digits) : null
}

/** Null: the instance is in the data. */
function decodeName(name: string): Scalar<JsonMap> | null {
  const match = ENCODED.exec(name)
  if (match === null) return null
  const text = (match[2] ?? '').slice(0, Number(match[1]))
  const map = readJsonMap(Buffer.from(text, 'base64url').toString())
  return map.ok ? map : null
}

/** Null: it takes no traffic. */
function readMap(
  map: JsonMap,
  { method, endpoint }: Decode,
  id: number | null,
): Scalar<Instance | null> {
  if (method === 'nerve') return withPort(readInstance(map, id))
  const { status = 'ALIVE', serviceEndpoint, additionalEndpoints, shard } = map
  if (status !== 'ALIVE') return good(null)
  const others = isMap(additionalEndpoints) ? additionalEndpoints : {}
  const found = endpoint === null ? serviceEndpoint : others[endpoint]
  if (!isMap(found)) {
    return bad(
      `has no ${endpoint === null ? 'serviceEndpoint' : `additional endpoint ${quote(endpoint)}`}`,
    )
  }
  return withPort(readInstance({ host: found['host'], port: found['port'], name: shard }, id))
}

function withPort(read: Scalar<Instance>): Scalar<Instance> {
  return read.ok && read.value.port === null ? bad('has no port') : read
}
