/**
 * What admission remembers of one declared object: how it was written last, what became of that, and the version that is
 * in force, which may be an older one.
 */
import type { Flaw, Parsed } from '../model/parsed.ts'
import type { DeclaredObject } from '../providers/provider.ts'
import { isEqual } from './equal.ts'

/** A version of an object that is in force, and where it came from. */
export interface Version<T> {
  readonly object: T
  readonly source: string
  readonly key: string
  /** Of the source, when this version came into force. */
  readonly revision: string
  /** Since when, ms since the epoch. */
  readonly since: number
}

export interface Entry<T> {
  declared: DeclaredObject
  source: string
  /** The pass that saw it declared last: an older one means that it is declared no more. */
  pass: number
  /** What was written, parsed; null when it does not parse. */
  parsed: T | null
  /** Why it does not parse. */
  flaws: readonly Flaw[]
  /** The files it names and what was in them (null: could not be read). Most name none. */
  files: ReadonlyMap<string, string | null> | null
  live: Version<T> | null
}

export type Entries<T> = Map<string, Entry<T>>

/** Reads the files that objects name, each once in a pass. */
export interface Files {
  read(path: string): string
  /** The text, null when it cannot be read. */
  peek(path: string): string | null
}

export function openFiles(read: (path: string) => string): Files {
  const known = new Map<string, { text: string } | { error: unknown }>()

  function look(path: string): { text: string } | { error: unknown } {
    const result = known.get(path) ?? attempt(path)
    known.set(path, result)
    return result
  }

  function attempt(path: string): { text: string } | { error: unknown } {
    try {
      return { text: read(path) }
    } catch (error) {
      return { error }
    }
  }

  return {
    read(path) {
      const result = look(path)
      if ('error' in result) throw result.error
      return result.text
    },
    peek(path) {
      const result = look(path)
      return 'text' in result ? result.text : null
    },
  }
}

const noFlaws: readonly Flaw[] = []

export type Parse<T> = (id: string, value: unknown, read: (path: string) => string) => Parsed<T>

export interface Pass {
  readonly number: number
  readonly source: string
  readonly files: Files
}

/** Takes note of a declaration. What is written as it was, with files that hold what they held, is not parsed again. */
export function noteDeclared<T>(
  entries: Entries<T>,
  declared: DeclaredObject,
  pass: Pass,
  parse: Parse<T>,
): void {
  const known = entries.get(declared.id)
  if (known !== undefined && isAsBefore(known, declared, pass.files)) {
    known.declared = declared
    known.source = pass.source
    known.pass = pass.number
    return
  }

  const files = new Map<string, string | null>()
  const parsed = parse(declared.id, declared.value, (path) => {
    files.set(path, pass.files.peek(path))
    return pass.files.read(path)
  })
  const live = known?.live ?? null
  entries.set(declared.id, {
    declared,
    source: pass.source,
    pass: pass.number,
    parsed: parsed.ok ? sameOr(live, parsed.value) : null,
    flaws: parsed.ok ? noFlaws : parsed.problems,
    files: files.size === 0 ? null : files,
    live,
  })
}

function isAsBefore<T>(entry: Entry<T>, declared: DeclaredObject, files: Files): boolean {
  if (!isEqual(entry.declared.value, declared.value)) return false
  if (entry.files === null) return true
  for (const [path, text] of entry.files) if (files.peek(path) !== text) return false
  return true
}

// Another spelling of what is in force is the object in force: nothing downstream has to compare it.
function sameOr<T>(live: Version<T> | null, object: T): T {
  return live !== null && isEqual(live.object, object) ? live.object : object
}
