/** The keys of Consul below a prefix, as its API returns them. They are not trusted. */
import type { KeyEntry } from '../layout.ts'
import { isMap } from '../../model/parsed.ts'
import { printable, type Nameless } from '../registry/nameless.ts'
import { MAX_PATH_LENGTH } from '../registry/text-limit.ts'
import { toValueText } from '../registry/value-text.ts'
import { encodeKey } from '../consul-api/query.ts'

/**
 * All keys in one response. Its values are base64, so this is some 24 MiB of text; without a limit, a wrong server could
 * fill the memory.
 */
export const MAX_LIST_BYTES: number = 32 << 20

export interface ListedKey {
  readonly entry: KeyEntry
  /** The session that holds the key; null: none. */
  readonly session: string | null
}

export interface KeyListing {
  readonly keys: ReadonlyMap<string, ListedKey>
  readonly nameless: Nameless
}

/** Consul's keys have no leading slash, and its API cannot name one. '' has all keys below it. */
export function rootOf(prefix: string): string {
  const name = prefix.replace(/^\/+/, '')
  return name === '' ? '' : `${name}/`
}

export function listPath(root: string): string {
  return `/v1/kv/${encodeKey(root)}`
}

/**
 * `body` of a recursive read, of the root, or of the root without its slash (`hasRoot`, as of Layout); undefined where there is no key. `known`: from the read before, whose values need no decoding if
 * their ModifyIndex is the same.
 */
export function readListing(
  body: unknown,
  root: string,
  isOurs: (path: string) => boolean,
  known: ReadonlyMap<string, ListedKey> | null,
  hasRoot = false,
): KeyListing {
  const keys = new Map<string, ListedKey>()
  const nameless = { count: 0, first: '' }
  for (const one of itemsOf(body)) {
    const { Key: key, ModifyIndex: modified } = one
    if (typeof key !== 'string') continue
    const isRoot = hasRoot && `${key}/` === root
    if (!isRoot && !key.startsWith(root)) continue
    const path = key.slice(root.length)
    if (path.length > MAX_PATH_LENGTH) {
      if (nameless.count++ === 0) nameless.first = printable(Buffer.from(key))
      continue
    }
    if (!isOurs(path)) continue
    const revision = typeof modified === 'number' ? String(modified) : ''
    const before = known?.get(path)
    const isSame = before !== undefined && revision !== '' && before.entry.revision === revision
    keys.set(path, isSame ? before : toListed(path, key, revision, one))
  }
  return { keys, nameless }
}

export function toListed(
  path: string,
  key: string,
  revision: string,
  { Value: value, Session: session }: Readonly<Record<string, unknown>>,
): ListedKey {
  return {
    entry: { path, key, revision, ...decode(value) },
    session: typeof session === 'string' && session !== '' ? session : null,
  }
}

/** Consul writes null for an empty value. */
function decode(value: unknown): Pick<KeyEntry, 'text' | 'fault'> {
  if (value === null) return { text: '' }
  if (typeof value !== 'string') return { text: null, fault: 'has no value' }
  return toValueText(Buffer.from(value, 'base64'))
}

export function* itemsOf(body: unknown): Generator<Readonly<Record<string, unknown>>> {
  if (body === undefined) return
  if (!Array.isArray(body)) throw new Error('Consul responds with something that is not a list')
  for (const one of body as readonly unknown[]) if (isMap(one)) yield one
}
