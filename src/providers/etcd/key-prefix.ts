/**
 * The range of keys below `prefix/`, without those of a longer prefix with the same beginning. The prefix is used exactly as
 * written: for etcd, `/vulcand` and `vulcand` are different keys.
 */
import type { KeyEntry } from '../layout.ts'
import { MAX_PATH_LENGTH } from '../registry/text-limit.ts'
import { decodeText, TOO_LONG, toValueText } from '../registry/value-text.ts'
import type { KeyValue } from './messages.ts'

export interface KeyPrefix {
  /** With its slash: `/vulcand/`. */
  readonly text: string
  /** The key that is read as the path ''; null: none is. */
  readonly root: string | null
  readonly start: Buffer
  /** The first key after the range. */
  readonly end: Buffer
}

/** `hasRoot`: as of Layout. */
export function createKeyPrefix(prefix: string, hasRoot = false): KeyPrefix {
  // etcd has no key without a name.
  const root = hasRoot && prefix !== '' ? prefix : null
  const text = `${prefix}/`
  // '0' is the character after '/'.
  return { text, root, start: Buffer.from(root ?? text), end: Buffer.from(`${prefix}0`) }
}

/** Those of its keys whose path begins with `start`. */
export function rangeFrom(prefix: KeyPrefix, start: string): KeyPrefix {
  if (start === '') return prefix
  const begin = Buffer.from(prefix.text + start)
  // 0xff is in no text of UTF-8.
  return { ...prefix, start: begin, end: Buffer.concat([begin, Buffer.of(0xff)]) }
}

/** Null if no layout could have the key. */
export function pathOf({ key }: KeyValue, { text, root, start }: KeyPrefix): string | null {
  const name = key.length > start.length + MAX_PATH_LENGTH ? null : decodeText(key)
  if (name !== null && name === root) return ''
  return name !== null && name.startsWith(text) && name !== text ? name.slice(text.length) : null
}

/** Of the range, but neither below the prefix nor the prefix itself: `/vote-2` beside `/vote`. */
export function isBeside({ key }: KeyValue, { text, root }: KeyPrefix): boolean {
  const begin = Buffer.from(text)
  return key.equals(begin) || (root !== null && !key.subarray(0, begin.length).equals(begin))
}

/** Null: the key has no lease. */
export function leaseOf({ lease }: KeyValue): string | null {
  return lease === '0' ? null : lease
}

/** `isCutOff`: the value was left out, because it does not fit into a message. */
export function toEntry(path: string, kv: KeyValue, prefix: KeyPrefix, isCutOff = false): KeyEntry {
  const key = path === '' ? (prefix.root ?? prefix.text) : prefix.text + path
  const entry = { path, key, revision: kv.mod_revision }
  return { ...entry, ...(isCutOff ? TOO_LONG : toValueText(kv.value)) }
}
