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
  readonly start: Buffer
  /** The first key after the range. */
  readonly end: Buffer
}

export function createKeyPrefix(prefix: string): KeyPrefix {
  // '0' is the character after '/'.
  return { text: `${prefix}/`, start: Buffer.from(`${prefix}/`), end: Buffer.from(`${prefix}0`) }
}

/** Those of its keys whose path begins with `start`. */
export function rangeFrom(prefix: KeyPrefix, start: string): KeyPrefix {
  if (start === '') return prefix
  const begin = Buffer.from(prefix.text + start)
  // 0xff is in no text of UTF-8.
  return { text: prefix.text, start: begin, end: Buffer.concat([begin, Buffer.of(0xff)]) }
}

/** Null if no layout could have the key. */
export function pathOf({ key }: KeyValue, { text, start }: KeyPrefix): string | null {
  const name = key.length > start.length + MAX_PATH_LENGTH ? null : decodeText(key)
  return name !== null && name.startsWith(text) && name !== text ? name.slice(text.length) : null
}

/** The beginning of an invalid key, for messages: `/vulcand/caf\xe9`. */
export function printable(key: Buffer): string {
  const text = key.toString('latin1', 0, 80)
  return text.replace(/[^ -~]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

/** Null: the key has no lease. */
export function leaseOf({ lease }: KeyValue): string | null {
  return lease === '0' ? null : lease
}

/** `isCutOff`: the value was left out, because it does not fit into a message. */
export function toEntry(path: string, kv: KeyValue, prefix: KeyPrefix, isCutOff = false): KeyEntry {
  const entry = { path, key: prefix.text + path, revision: kv.mod_revision }
  return { ...entry, ...(isCutOff ? TOO_LONG : toValueText(kv.value)) }
}
