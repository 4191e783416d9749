/** How znodes are keys: their paths below the prefix, and their data. */
import type { KeyEntry } from '../layout.ts'
import { MAX_PATH_LENGTH } from '../registry/text-limit.ts'
import { toValueText } from '../registry/value-text.ts'
import type { ReadNode } from './client/requests.ts'

/** libkv (Traefik 1, registrator, Docker Swarm) creates an ephemeral znode with this byte, and sets its value afterwards. */
const NOT_SET_YET = 0x01

/**
 * Null: the znode is no key, but only the parent of others, or its writer has not set it yet. `isFlat`: one with children is
 * no key, with any data.
 */
export function toEntry(
  root: string,
  path: string,
  { data, stat }: ReadNode,
  isFlat = false,
): KeyEntry | null {
  if ((isFlat || data.length === 0) && stat.children > 0) return null
  if (data.length === 1 && data[0] === NOT_SET_YET) return null
  return { ...toName(root, path), revision: toRevision(stat.setAt), ...toValueText(data) }
}

/** Of a key that cannot be read. */
export function toFaultyEntry(root: string, path: string, fault: string): KeyEntry {
  return { ...toName(root, path), text: null, fault }
}

function toName(root: string, path: string): Pick<KeyEntry, 'path' | 'key'> {
  return { path: below(root, path) ?? '', key: path }
}

/** The path without the prefix; '' is the prefix itself, null is beside it. */
export function below(root: string, path: string): string | null {
  if (path === root) return ''
  return path.startsWith(root) && path[root.length] === '/' ? path.slice(root.length + 1) : null
}

/** Null: no path, or too long for a key. */
export function childOf(root: string, path: string, name: string): string | null {
  const isName = name !== '' && name !== '.' && name !== '..' && !name.includes('/')
  const isLong = path.length - root.length + name.length > MAX_PATH_LENGTH
  return isName && !isLong ? `${path}/${name}` : null
}

export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}

/** As ZooKeeper's tools show transaction ids. */
export function toRevision(zxid: bigint): string {
  return `0x${zxid.toString(16)}`
}
