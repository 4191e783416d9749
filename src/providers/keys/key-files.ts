/**
 * YAML and JSON files as keys, as confd reads them: the members of maps and the positions in lists are the segments of a path. Files
 * are looked at once a second. One that cannot be read keeps what all files held before.
 */
import { readdirSync, statSync } from 'node:fs'
import { extname, join } from 'node:path'
import { setTimeout as passed } from 'node:timers/promises'
import { readForeign } from '../../document/document.ts'
import { isEqual } from '../../model/equal.ts'
import { messageOf } from '../../model/error-message.ts'
import { fileErrorReason } from '../../model/file-error.ts'
import { isMap } from '../../model/parsed.ts'
import { readBoundedText } from '../../model/read-bounded.ts'
import type { KeyFiles } from '../../model/template-settings.ts'
import type { KeyListener, Keys, KeyText } from './key-source.ts'
import { isWithin, joinKey } from './key-paths.ts'

const INTERVAL_MS = 1_000
const MAX_FILES = 1_000
const MAX_BYTES = 16 << 20
const MAX_DEPTH = 64
const EXTENSIONS: ReadonlySet<string> = new Set(['.yaml', '.yml', '.json'])

export async function watchFiles(
  { paths }: KeyFiles,
  roots: readonly string[],
  signal: AbortSignal,
  { onKeys, onLost }: KeyListener,
): Promise<void> {
  let known = ''
  let before: Keys = new Map()
  while (!signal.aborted) {
    try {
      const files = filesOf(paths)
      const signature = files.map(signatureOf).join('\n')
      if (signature !== known) {
        const keys = readFiles(files)
        known = signature
        const news = { changed: changesOf(before, keys), problems: [] }
        before = keys
        for (const root of roots) {
          onKeys(root, new Map([...keys].filter(([key]) => isWithin(key, root))), news)
        }
      }
    } catch (error) {
      known = ''
      onLost(messageOf(error), null)
    }
    await passed(INTERVAL_MS, null, { signal, ref: false }).catch(() => null)
  }
}

function changesOf(before: Keys, now: Keys): ReadonlySet<string> {
  const all = new Set([...before.keys(), ...now.keys()])
  return new Set([...all].filter((key) => !isEqual(before.get(key), now.get(key))))
}

/** The files, and those in the folders, of the names that files with keys have. */
function filesOf(paths: readonly string[]): readonly string[] {
  const files = paths.flatMap((path) => {
    try {
      if (!statSync(path).isDirectory()) return path
      return readdirSync(path, { recursive: true, encoding: 'utf8' })
        .sort()
        .filter((name) => EXTENSIONS.has(extname(name)))
        .map((name) => join(path, name))
    } catch (cause) {
      throw new Error(`cannot read ${path}: ${fileErrorReason(cause)}`, { cause })
    }
  })
  if (files.length <= MAX_FILES) return files
  throw new Error(`there are ${files.length} files with keys, and at most ${MAX_FILES} are read`)
}

function signatureOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true })
  return `${path} ${stat?.ino} ${stat?.size} ${stat?.mtimeNs}`
}

function readFiles(files: readonly string[]): ReadonlyMap<string, KeyText> {
  const keys = new Map<string, KeyText>()
  let left = MAX_BYTES
  for (const path of files) {
    try {
      left -= statSync(path).size
      if (left < 0) throw new Error(`the files with keys are larger than ${MAX_BYTES >> 20} MiB`)
      const notation = extname(path) === '.json' ? 'json' : 'yaml'
      const { root } = readForeign(readBoundedText(path, { maxBytes: MAX_BYTES }), notation)
      flatten(root, '', keys, 0)
    } catch (cause) {
      throw new Error(`cannot read ${path}: ${fileErrorReason(cause)}`, { cause })
    }
  }
  return keys
}

/** Nothing, dates and what else is no text, number or truth value has no key. */
function flatten(value: unknown, path: string, keys: Map<string, KeyText>, depth: number): void {
  if (depth > MAX_DEPTH) throw new Error(`maps lie deeper than ${MAX_DEPTH} in each other`)
  if (Array.isArray(value)) {
    value.forEach((item, at) => flatten(item, joinKey(path, String(at)), keys, depth + 1))
  } else if (isMap(value)) {
    for (const [name, item] of Object.entries(value)) {
      flatten(item, joinKey(path, name), keys, depth + 1)
    }
  } else if (['string', 'number', 'boolean', 'bigint'].includes(typeof value)) {
    keys.set(path, { text: String(value) })
  }
}
