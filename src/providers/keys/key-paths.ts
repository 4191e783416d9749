/** Paths of keys, as confd writes them: with a slash at the beginning and none at the end; the root is ''. */
import { posix } from 'node:path'

/** More than these are read below the path that all of them are in. */
const MAX_ROOTS = 16

/** Joined as by Go's path.Join, but '' for the root. */
export function joinKey(...parts: readonly string[]): string {
  const joined = posix.normalize(`/${parts.filter((part) => part !== '').join('/')}`)
  return joined.replace(/\/$/, '')
}

export function isWithin(key: string, root: string): boolean {
  return root === '' || key === root || key.startsWith(`${root}/`)
}

/** Whether the key, or one that it is below, is among them. */
export function isBelowAny(key: string, roots: ReadonlySet<string>): boolean {
  for (let at = key; at !== ''; at = at.slice(0, at.lastIndexOf('/'))) {
    if (roots.has(at)) return true
  }
  return roots.has('')
}

/** The paths to read for these keys: none within another, and not many. */
export function rootsOf(keys: Iterable<string>): readonly string[] {
  const all = new Set(keys)
  const parentOf = (key: string): string => key.slice(0, key.lastIndexOf('/'))
  const roots = [...all].filter((key) => key === '' || !isBelowAny(parentOf(key), all)).sort()
  return roots.length > MAX_ROOTS ? [ancestorOf(roots)] : roots
}

function ancestorOf(keys: readonly string[]): string {
  const [first = [], ...others] = keys.map((key) => key.split('/'))
  const end = first.findIndex((part, at) => others.some((other) => other[at] !== part))
  return first.slice(0, end === -1 ? first.length : end).join('/')
}
