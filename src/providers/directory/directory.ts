/** The files of a directory and the objects that they declare. */
import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { parseDocument, type ReadableDocument } from '../../document/document.ts'
import type { Problem } from '../../model/problem.ts'
import { locateIn } from '../file/file-provider.ts'
import type { ReadingOptions } from '../file/reading.ts'
import { fileErrorReason } from '../../model/file-error.ts'
import { isPartOf, refreshFile, type TrackedFile } from './tracked-file.ts'
import type { Position } from '../../document/tree.ts'
import type { DeclaredObject } from '../provider.ts'

export const MAX_FILES = 10_000
const MAX_BYTES = 64 * 1024 ** 2
/** Larger files are not parsed again for the position of a problem; its object's position is reported instead. */
const MAX_LOCATED_BYTES = 1024 ** 2
const MAX_PROBLEMS = 1000
/** Files that are read concurrently. */
const BATCH = 16

export interface DirectoryOptions {
  readonly name: string
  readonly directory: string
  readonly env: ReadingOptions['env']
}

export interface MergedFiles {
  readonly revision: string
  readonly objects: readonly DeclaredObject[]
  readonly problems: readonly Problem[]
}

export interface Directory {
  readonly size: number
  readonly hasUnstable: boolean
  /** The directories that symlinks among the files lead to. */
  readonly targets: ReadonlySet<string>
  /** Reads these files (null: all) and the unstable ones; returns whether anything has changed. Throws if the directory cannot be read. */
  refresh(names: ReadonlySet<string> | null, isReload: boolean): Promise<boolean>
  merge(): MergedFiles
  /** As in Declaration, for files that were invalid since the start. Undefined: there are none. */
  readonly isUnread: ((object: DeclaredObject) => boolean) | undefined
  locate(object: DeclaredObject, path: readonly (string | number)[]): Position | null
  /** Drops the text that positions were looked up in. */
  forgetText(): void
}

/** Hidden files and an editor's backups are ignored. */
export function isDeclaring(name: string): boolean {
  return !name.startsWith('.') && /\.(?:ya?ml|json)$/.test(name)
}

export function createDirectory({ name: source, directory, env }: DirectoryOptions): Directory {
  const tracked = new Map<string, TrackedFile>()
  let located: { readonly name: string; readonly document: ReadableDocument | null } | null = null

  async function look(changed: ReadonlySet<string> | null, isReload: boolean): Promise<boolean> {
    const there = await list(directory)
    if (there.length > MAX_FILES) {
      throw new Error(`${directory} holds more than ${MAX_FILES} files that declare something`)
    }
    const listed = new Set(there)
    const names = [...new Set([...there, ...tracked.keys()])].filter((name) => {
      const file = tracked.get(name)
      const isNew = file === undefined || !listed.has(name) || file.unstable !== null
      return isReload || changed === null || changed.has(name) || isNew
    })
    let isNew = false
    for (let at = 0; at < names.length; at += BATCH) {
      const changes = await Promise.all(
        names.slice(at, at + BATCH).map((one) => refreshOne(one, isReload)),
      )
      isNew = changes.includes(true) || isNew
    }
    return isNew
  }

  async function refreshOne(name: string, isReload: boolean): Promise<boolean> {
    const before = tracked.get(name) ?? null
    const world = { directory, source, env, maxBytes: MAX_BYTES, now: performance.now() }
    const after = await refreshFile({ ...world, name, tracked: before, isReload })
    if (after === null) return tracked.delete(name)
    tracked.set(name, after)
    return (
      after.good !== (before?.good ?? null) ||
      describe(after.problems) !== describe(before?.problems ?? [])
    )
  }

  function merge(): MergedFiles {
    const files = [...tracked.values()].sort(byPrecedence)
    const holders = new Map<string, { file: TrackedFile; object: DeclaredObject }>()
    const problems: Problem[] = []
    const revisions: string[] = []
    for (const file of files) {
      problems.push(...file.problems)
      if (file.good === null) continue
      problems.push(...file.good.problems)
      revisions.push(`${file.name}\n${file.good.revision}\n`)
      for (const object of file.good.objects) {
        const name = `${object.kind} ${object.id}`
        const holder = holders.get(name)
        if (holder === undefined) holders.set(name, { file, object })
        // Without it, the object may just be moved from one file to another.
        else if (file.unstable?.kind !== 'missing') problems.push(toTwice(object, holder.object))
      }
    }
    const objects = [...holders.values()].map(({ object }) => object)
    const revision = hash('sha256', revisions.join(''), 'hex').slice(0, 16)
    return { revision, objects, problems: bounded(problems) }
  }

  function toTwice(
    { kind, id, key, line, column }: DeclaredObject,
    holder: DeclaredObject,
  ): Problem {
    const message = `is declared by ${holder.key} already, which holds`
    const position = line === undefined || column === undefined ? {} : { line, column }
    return { kind, id, message, source, key, ...position }
  }

  function bounded(problems: readonly Problem[]): readonly Problem[] {
    if (problems.length <= MAX_PROBLEMS) return problems
    const message = `and ${problems.length - MAX_PROBLEMS} more problems`
    const more: Problem = { kind: 'source', id: '', message, source, key: directory }
    return [...problems.slice(0, MAX_PROBLEMS), more]
  }

  /** The text that was read, unless it has changed; only the last one is kept. */
  function openText(name: string): ReadableDocument | null {
    const good = tracked.get(name)?.good ?? null
    if (good === null || good.bytes > MAX_LOCATED_BYTES) return null
    try {
      const path = join(directory, name)
      const bytes = readFileSync(path)
      if (hash('sha256', bytes, 'hex').slice(0, 16) !== good.content) return null
      const document = parseDocument(bytes.toString(), path)
      return document.readable ? document : null
    } catch {
      return null
    }
  }

  return {
    get size() {
      return tracked.size
    },
    get hasUnstable() {
      return [...tracked.values()].some(({ unstable: unstable }) => unstable !== null)
    },
    get targets() {
      return new Set([...tracked.values()].flatMap(({ target }) => target ?? []))
    },
    refresh: look,
    merge,
    get isUnread() {
      const unread = [...tracked.values()].filter(
        ({ good, problems: problems }) => !good && problems.length > 0,
      )
      if (unread.length === 0) return undefined
      return (object: DeclaredObject) => unread.some((file) => isPartOf(object, file))
    },
    locate(object, path) {
      const name = basename(object.key.slice(0, object.key.lastIndexOf('#/')))
      if (located?.name !== name) located = { name, document: openText(name) }
      return locateIn(located.document, object, path)
    },
    forgetText() {
      located = null
    },
  }
}

async function list(directory: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true })
    return entries.filter((entry) => isDeclaring(entry.name) && !entry.isDirectory()).map(nameOf)
  } catch (error) {
    const reason = fileErrorReason(error).replace('no such file', 'no such directory')
    throw new Error(`the directory ${directory} cannot be read: ${reason}`, { cause: error })
  }
}

function nameOf({ name }: { readonly name: string }): string {
  return name
}

/** By name; a file that may be gone comes last, so that objects moved out of it are taken from their new file. */
function byPrecedence(a: TrackedFile, b: TrackedFile): number {
  const isGoing = ({ unstable: unstable }: TrackedFile): number =>
    unstable?.kind === 'missing' ? 1 : 0
  return isGoing(a) - isGoing(b) || (a.name < b.name ? -1 : 1)
}

function describe(problems: readonly Problem[]): string {
  return problems
    .map(({ key, message, line, column }) => [key, line, column, message].join())
    .join()
}
