/**
 * The part of etcd's keys that is ours: everything below `prefix/`, and nothing of a neighbour whose prefix begins with
 * the same letters. The prefix is taken as it is written: to etcd, `/vulcand` and `vulcand` are different keys.
 */
import type { KeyEntry } from '../layout.ts'
import { maxPathLength } from '../registry/text-bound.ts'
import type { KeyValue } from './messages.ts'

export interface Root {
  /** With its slash: `/vulcand/`. */
  readonly text: string
  readonly start: Buffer
  /** The first key that is not below it any more. */
  readonly end: Buffer
}

/** What is longer is no object of ours: etcd itself takes 1.5 MiB unless it is told otherwise. */
export const maxTextBytes: number = 1 << 20

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function createRoot(prefix: string): Root {
  // The character after the slash is the nought.
  return { text: `${prefix}/`, start: Buffer.from(`${prefix}/`), end: Buffer.from(`${prefix}0`) }
}

/** Null: not a key that any layout could name. */
export function pathOf({ key }: KeyValue, { text, start }: Root): string | null {
  const name = key.length > start.length + maxPathLength ? null : decode(key)
  return name !== null && name.startsWith(text) && name !== text ? name.slice(text.length) : null
}

/** The beginning of a key that is none, for people: `/vulcand/caf\xe9`. */
export function printable(key: Buffer): string {
  const text = key.toString('latin1', 0, 80)
  return text.replace(/[^ -~]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

/** Null: the key stays by itself. */
export function leaseOf({ lease }: KeyValue): string | null {
  return lease === '0' ? null : lease
}

/** `isCutOff`: only the key was sent, because the value does not fit a message. */
export function toEntry(path: string, kv: KeyValue, root: Root, isCutOff = false): KeyEntry {
  const entry = { path, key: root.text + path, revision: kv.mod_revision }
  if (isCutOff || kv.value.length > maxTextBytes) {
    return { ...entry, text: null, fault: 'is longer than 1 MiB' }
  }
  const text = decode(kv.value)
  return text === null ? { ...entry, text, fault: 'is not UTF-8 text' } : { ...entry, text }
}

function decode(bytes: Buffer): string | null {
  try {
    return decoder.decode(bytes)
  } catch {
    return null
  }
}
