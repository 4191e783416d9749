/**
 * The record of one object in admission: its latest declaration, the result of parsing it, and the version in force, which
 * may be an older one.
 */
import { flaw } from '../../model/parsed.ts'
import type { Flaw, Parsed } from '../../model/parsed.ts'
import { parseReferred } from '../../document/referred.ts'
import type { DeclaredObject } from '../../providers/provider.ts'
import { isEqual, reuseIfEqual } from '../../model/equal.ts'
import { describeFault } from '../../observe/fault.ts'
import type { MergedObject } from '../sources/merge.ts'

/** A version of an object that is in force, and its origin. */
export interface Version<T> {
  readonly object: T
  /** The declaration that it was parsed from. */
  readonly declared: DeclaredObject
  readonly source: string
  /** The object's own, else the source's when this version came into force. */
  readonly revision: string
  /** When it came into force, ms since the epoch. */
  readonly since: number
}

export interface ObjectRecord<T> {
  /** The name in the table. */
  readonly id: string
  declared: DeclaredObject
  source: string
  /** The declaration, parsed; null: it is invalid. */
  parsed: T | null
  /** Why it is invalid. */
  flaws: readonly Flaw[]
  /** The files that it names, with their text (null: unreadable). Null: it names none, as most. */
  files: ReadonlyMap<string, string | null> | null
  inForce: Version<T> | null
  /** The closed form, parsed on first use; null: there is none. */
  closed?: T | null
}

export type ObjectRecords<T> = Map<string, ObjectRecord<T>>

/** The files that objects name, relative to their source, each read at most once in a pass. */
export interface FileCache {
  read(source: string, path: string): string
  /** The text; null: it cannot be read. */
  peek(source: string, path: string): string | null
}

export function createFileCache(read: (path: string, source: string) => string): FileCache {
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

const NO_FLAWS: readonly Flaw[] = []
const NO_REFERENCES: NonNullable<DeclaredObject['references']> = []

export type Parse<T> = (id: string, value: unknown, read: (path: string) => string) => Parsed<T>

/**
 * Returns the record of a declaration. An unchanged declaration, with unchanged files, is not parsed again. The last good
 * version belongs to its source: an object of the same name from another source begins without one.
 */
export function updateRecord<T>(
  known: ObjectRecord<T> | null,
  { id, declared, source }: MergedObject,
  files: FileCache,
  parse: Parse<T>,
): ObjectRecord<T> {
  if (known !== null && isUnchanged(known, declared, source, files)) {
    known.declared = declared
    known.source = source
    known.inForce = ifFromSource(known.inForce, source)
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
    parsed: parsed.ok ? reuseIfEqual(known?.inForce?.object, parsed.value) : null,
    flaws: parsed.ok ? NO_FLAWS : parsed.problems,
    files: named.size === 0 ? null : named,
    inForce: ifFromSource(known?.inForce ?? null, source),
  }
}

function parseDeclared<T>(
  id: string,
  { fault, value, references = NO_REFERENCES }: DeclaredObject,
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

/** After an exception: the declaration is not parsed again until it changes. */
export function setFault(record: ObjectRecord<unknown>, error: unknown): void {
  record.parsed = null
  record.flaws = [faultFlaw(error)]
}

function faultFlaw(error: unknown): Flaw {
  return { message: describeFault(error), path: [], thrown: error }
}

function ifFromSource<T>(inForce: Version<T> | null, source: string): Version<T> | null {
  return inForce?.source === source ? inForce : null
}

/** The first of the declared closed forms that is valid; null: there is none. */
export function closedFormOf<T>(record: ObjectRecord<T>, parse: Parse<T>): T | null {
  if (record.closed === undefined) record.closed = parseClosed(record, parse)
  return record.closed
}

function parseClosed<T>({ id, declared, inForce }: ObjectRecord<T>, parse: Parse<T>): T | null {
  for (const value of declared.closed?.values ?? []) {
    const parsed = parse(id, value, () => '')
    if (parsed.ok) return reuseIfEqual(inForce?.object, parsed.value)
  }
  return null
}

export function hasChangedFiles({ files, source }: ObjectRecord<unknown>, now: FileCache): boolean {
  if (files === null) return false
  for (const [path, text] of files) if (now.peek(source, path) !== text) return true
  return false
}

function isUnchanged<T>(
  record: ObjectRecord<T>,
  declared: DeclaredObject,
  source: string,
  files: FileCache,
): boolean {
  if (declared.fault !== record.declared.fault) return false
  try {
    if (!isEqual(record.declared.value, declared.value)) return false
    // The same text as a literal and as a reference is parsed in two ways.
    if (!isEqual(record.declared.closed, declared.closed)) return false
    if (!isEqual(record.declared.references, declared.references)) return false
  } catch {
    return false
  }
  return record.files === null || (record.source === source && !hasChangedFiles(record, files))
}
