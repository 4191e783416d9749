/**
 * What admission remembers of one declared object: how it was written last, what became of that, and the version that is
 * in force, which may be an older one.
 */
import { flaw } from '../../model/parsed.ts'
import type { Flaw, Parsed } from '../../model/parsed.ts'
import { parseReferred } from '../../document/referred.ts'
import type { DeclaredObject } from '../../providers/provider.ts'
import { isEqual } from '../../model/equal.ts'
import { describeFault } from '../../observe/fault.ts'
import type { MergedObject } from '../sources/merge.ts'

/** A version of an object that is in force, and where it came from. */
export interface Version<T> {
  readonly object: T
  /** As it was written. */
  readonly declared: DeclaredObject
  readonly source: string
  /** Its own, or its source's when this version came into force. */
  readonly revision: string
  /** Since when, ms since the epoch. */
  readonly since: number
}

export interface Entry<T> {
  /** In the table. */
  readonly id: string
  declared: DeclaredObject
  source: string
  /** What was written, parsed; null when it does not parse. */
  parsed: T | null
  /** Why it does not parse. */
  flaws: readonly Flaw[]
  /** The files it names and what was in them (null: could not be read). Most name none. */
  files: ReadonlyMap<string, string | null> | null
  live: Version<T> | null
  /** What is in force where it cannot be, parsed when it is first asked for. Null: nothing. */
  closed?: T | null
}

export type Entries<T> = Map<string, Entry<T>>

/** Reads the files that objects name, beside their source, each once in a pass. */
export interface Files {
  read(source: string, path: string): string
  /** The text, null when it cannot be read. */
  peek(source: string, path: string): string | null
}

export function openFiles(read: (path: string, source: string) => string): Files {
  const known = new Map<string, { text: string } | { error: unknown }>()

  function look(source: string, path: string): { text: string } | { error: unknown } {
    const key = `${source} ${path}`
    const result = known.get(key) ?? attempt(source, path)
    known.set(key, result)
    return result
  }

  function attempt(source: string, path: string): { text: string } | { error: unknown } {
    try {
      return { text: read(path, source) }
    } catch (error) {
      return { error }
    }
  }

  return {
    read(source, path) {
      const result = look(source, path)
      if ('error' in result) throw result.error
      return result.text
    },
    peek(source, path) {
      const result = look(source, path)
      return 'text' in result ? result.text : null
    },
  }
}

const noFlaws: readonly Flaw[] = []
const none: NonNullable<DeclaredObject['references']> = []

export type Parse<T> = (id: string, value: unknown, read: (path: string) => string) => Parsed<T>

/**
 * Takes note of a declaration. What is written as it was, with files that hold what they held, is not parsed again. The
 * last good version belongs to its source: another source's object of that name begins without one.
 */
export function noteDeclared<T>(
  known: Entry<T> | null,
  { id, declared, source }: MergedObject,
  files: Files,
  parse: Parse<T>,
): Entry<T> {
  if (known !== null && isAsBefore(known, declared, source, files)) {
    known.declared = declared
    known.source = source
    known.live = ofSource(known.live, source)
    return known
  }
  const named = new Map<string, string | null>()
  const parsed = parseDeclared(id, declared, parse, (path) => {
    named.set(path, files.peek(source, path))
    return files.read(source, path)
  })
  return {
    id,
    declared,
    source,
    parsed: parsed.ok ? sameOr(known?.live ?? null, parsed.value) : null,
    flaws: parsed.ok ? noFlaws : parsed.problems,
    files: named.size === 0 ? null : named,
    live: ofSource(known?.live ?? null, source),
  }
}

function parseDeclared<T>(
  id: string,
  { fault, value, references = none }: DeclaredObject,
  parse: Parse<T>,
  read: (path: string) => string,
): Parsed<T> {
  if (fault !== undefined) return { ok: false, problems: [flaw([], fault)] }
  try {
    return parseReferred(value, references, (written) => parse(id, written, read)).parsed
  } catch (error) {
    return { ok: false, problems: [faultFlaw(error)] }
  }
}

/** A throw that met the entry: what is written is not looked at again until it is written otherwise. */
export function setFault(entry: Entry<unknown>, error: unknown): void {
  entry.parsed = null
  entry.flaws = [faultFlaw(error)]
}

function faultFlaw(error: unknown): Flaw {
  return { message: describeFault(error), path: [], thrown: error }
}

function ofSource<T>(live: Version<T> | null, source: string): Version<T> | null {
  return live?.source === source ? live : null
}

/** The first of the closed forms that can be in force. */
export function closedFormOf<T>(entry: Entry<T>, parse: Parse<T>): T | null {
  if (entry.closed === undefined) entry.closed = parseClosed(entry, parse)
  return entry.closed
}

function parseClosed<T>({ id, declared, live }: Entry<T>, parse: Parse<T>): T | null {
  for (const value of declared.closed?.values ?? []) {
    const parsed = parse(id, value, () => '')
    if (parsed.ok) return sameOr(live, parsed.value)
  }
  return null
}

export function hasChangedFiles({ files, source }: Entry<unknown>, now: Files): boolean {
  if (files === null) return false
  for (const [path, text] of files) if (now.peek(source, path) !== text) return true
  return false
}

function isAsBefore<T>(
  entry: Entry<T>,
  declared: DeclaredObject,
  source: string,
  files: Files,
): boolean {
  if (declared.fault !== entry.declared.fault) return false
  try {
    if (!isEqual(entry.declared.value, declared.value)) return false
    // A literal is not read as a reference is.
    if (!isEqual(entry.declared.closed, declared.closed)) return false
    if (!isEqual(entry.declared.references, declared.references)) return false
  } catch {
    return false
  }
  return entry.files === null || (entry.source === source && !hasChangedFiles(entry, files))
}

// Another spelling of what is in force is the object in force: nothing downstream has to compare it.
function sameOr<T>(live: Version<T> | null, object: T): T {
  return live !== null && isEqual(live.object, object) ? live.object : object
}
