/** What a directory's files declare together. */
import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { parseDocument } from '../../document/document.ts'
import type { ReadableDocument } from '../../document/document.ts'
import type { Problem } from '../../model/problem.ts'
import { locateIn } from '../file/file-provider.ts'
import type { ReadingOptions } from '../file/reading.ts'
import { reasonOf } from '../file/reason.ts'
import { isPartOf, lookAt } from './kept-file.ts'
import type { KeptFile } from './kept-file.ts'
import type { DeclaredObject, Position } from '../provider.ts'

export const maxFiles = 10_000
const maxBytes = 64 * 1024 ** 2
/** Larger ones are not parsed once more for the place of a mistake: the object's own place must do. */
const maxLocatedBytes = 1024 ** 2
const maxProblems = 1000
/** Files that are read at a time. */
const batch = 16

export interface DirectoryOptions {
  readonly name: string
  readonly directory: string
  readonly env: ReadingOptions['env']
}

export interface Together {
  readonly revision: string
  readonly objects: readonly DeclaredObject[]
  readonly problems: readonly Problem[]
}

export interface Directory {
  readonly size: number
  readonly hasDoubts: boolean
  /** Where the symlinks among the files lead. */
  readonly targets: ReadonlySet<string>
  /** Looks at these files (null: at all) and at those in doubt; whether anything is new. Throws when it cannot be read. */
  look(names: ReadonlySet<string> | null, isAsked: boolean): Promise<boolean>
  together(): Together
  /** As in Declaration: of the files that are bad, and were since the start. Undefined: there are none. */
  readonly isUnread: ((object: DeclaredObject) => boolean) | undefined
  locate(object: DeclaredObject, path: readonly (string | number)[]): Position | null
  /** Lets go of the text that places were looked up in. */
  forgetText(): void
}

/** Hidden ones are left alone, and so are an editor's backups. */
export function isDeclaring(name: string): boolean {
  return !name.startsWith('.') && /\.(?:ya?ml|json)$/.test(name)
}

export function createDirectory({ name: source, directory, env }: DirectoryOptions): Directory {
  const kept = new Map<string, KeptFile>()
  let located: { readonly name: string; readonly document: ReadableDocument | null } | null = null

  async function look(heard: ReadonlySet<string> | null, isAsked: boolean): Promise<boolean> {
    const there = await list(directory)
    if (there.length > maxFiles) {
      throw new Error(`${directory} holds more than ${maxFiles} files that declare something`)
    }
    const listed = new Set(there)
    const names = [...new Set([...there, ...kept.keys()])].filter((name) => {
      const file = kept.get(name)
      const isNew = file === undefined || !listed.has(name) || file.doubt !== null
      return isAsked || heard === null || heard.has(name) || isNew
    })
    let isNew = false
    for (let at = 0; at < names.length; at += batch) {
      const news = await Promise.all(
        names.slice(at, at + batch).map((one) => lookAtOne(one, isAsked)),
      )
      isNew = news.includes(true) || isNew
    }
    return isNew
  }

  async function lookAtOne(name: string, isAsked: boolean): Promise<boolean> {
    const before = kept.get(name) ?? null
    const world = { directory, source, env, maxBytes, now: performance.now() }
    const after = await lookAt({ ...world, name, kept: before, isAsked })
    if (after === null) return kept.delete(name)
    kept.set(name, after)
    return (
      after.good !== (before?.good ?? null) ||
      describe(after.trouble) !== describe(before?.trouble ?? [])
    )
  }

  function together(): Together {
    const files = [...kept.values()].sort(byPrecedence)
    const holders = new Map<string, { file: KeptFile; object: DeclaredObject }>()
    const problems: Problem[] = []
    const revisions: string[] = []
    for (const file of files) {
      problems.push(...file.trouble)
      if (file.good === null) continue
      problems.push(...file.good.problems)
      revisions.push(`${file.name}\n${file.good.revision}\n`)
      for (const object of file.good.objects) {
        const name = `${object.kind} ${object.id}`
        const holder = holders.get(name)
        if (holder === undefined) holders.set(name, { file, object })
        // It may only be on its way from one file to another.
        else if (file.doubt?.kind !== 'missing') problems.push(toTwice(object, holder.object))
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
    if (problems.length <= maxProblems) return problems
    const message = `and ${problems.length - maxProblems} more problems`
    const more: Problem = { kind: 'source', id: '', message, source, key: directory }
    return [...problems.slice(0, maxProblems), more]
  }

  /** The text as it was read, if it still is that; only the last one asked for is held. */
  function openText(name: string): ReadableDocument | null {
    const good = kept.get(name)?.good ?? null
    if (good === null || good.bytes > maxLocatedBytes) return null
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
      return kept.size
    },
    get hasDoubts() {
      return [...kept.values()].some(({ doubt }) => doubt !== null)
    },
    get targets() {
      return new Set([...kept.values()].flatMap(({ target }) => target ?? []))
    },
    look,
    together,
    get isUnread() {
      const unread = [...kept.values()].filter(({ good, trouble }) => !good && trouble.length > 0)
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
    const reason = reasonOf(error).replace('no such file', 'no such directory')
    throw new Error(`the directory ${directory} cannot be read: ${reason}`, { cause: error })
  }
}

function nameOf({ name }: { readonly name: string }): string {
  return name
}

/** By name; one that may be gone comes last, so that what was moved out of it is taken from where it is now. */
function byPrecedence(a: KeptFile, b: KeptFile): number {
  const isGoing = ({ doubt }: KeptFile): number => (doubt?.kind === 'missing' ? 1 : 0)
  return isGoing(a) - isGoing(b) || (a.name < b.name ? -1 : 1)
}

function describe(problems: readonly Problem[]): string {
  return problems
    .map(({ key, message, line, column }) => [key, line, column, message].join())
    .join()
}
