/** Reads and parses a file: `whole`, the `same` as before, or `broken` with the reasons. */
import { hash } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { Stats } from 'node:fs'
import {
  parseDocument,
  type KnownDocument,
  type ReadableDocument,
} from '../../document/document.ts'
import type { Problem } from '../../model/problem.ts'
import { fileErrorReason } from '../../model/file-error.ts'
import { createReferenceReader, haveChanged, revisionOf, type References } from './references.ts'

/** Identifies content that need not be parsed again. */
export interface KnownFile {
  /** A hash of its bytes. */
  readonly content: string
  readonly references: References
}

export interface WholeFile extends KnownFile {
  readonly state: 'whole'
  /** Of the content and of the files that it refers to. */
  readonly revision: string
  readonly bytes: number
  readonly inode: number
  readonly document: ReadableDocument
}

export interface BrokenFile {
  readonly state: 'broken'
  readonly problems: readonly Problem[]
}

export type Reading = WholeFile | BrokenFile | { readonly state: 'same' }

export interface ReadingOptions {
  readonly known: KnownFile | null
  /** The last declaration, if an unchanged file need not be read again. */
  readonly before?: KnownDocument | null
  readonly env: Readonly<Record<string, string | undefined>>
  readonly maxBytes?: number
}

export async function readDeclarations(path: string, options: ReadingOptions): Promise<Reading> {
  const { known, before = null, env, maxBytes = Infinity } = options
  let read: { bytes: Buffer; inode: number }
  try {
    read = await readContent(path, maxBytes)
  } catch (error) {
    return broken(path, `cannot be read: ${fileErrorReason(error)}`)
  }
  const content = hash('sha256', read.bytes, 'hex').slice(0, 16)
  if (content === known?.content && !haveChanged(known.references)) return { state: 'same' }

  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(read.bytes)
  } catch {
    return broken(path, 'is not UTF-8 text')
  }
  const { readFile, references } = createReferenceReader(path)
  const document = parseDocument(text, path, { env, readFile }, before)
  // A misspelt section, or one that is not a map, would delete all its objects.
  if (!document.readable || document.problems.length > 0) {
    return { state: 'broken', problems: document.problems }
  }
  return {
    state: 'whole',
    content,
    references,
    revision: revisionOf(content, references),
    bytes: read.bytes.length,
    inode: read.inode,
    document,
  }
}

async function readContent(
  path: string,
  maxBytes: number,
): Promise<{ bytes: Buffer; inode: number }> {
  const file = await open(path)
  try {
    const before = await file.stat()
    if (before.size > maxBytes) throw new Error(`it is larger than ${maxBytes} bytes`)
    const bytes = await file.readFile()
    const after = await file.stat()
    if (!isUntouched(before, after)) throw new Error('it is being written')
    return { bytes, inode: after.ino }
  } finally {
    await file.close()
  }
}

function isUntouched(before: Stats, after: Stats): boolean {
  return before.size === after.size && before.mtimeMs === after.mtimeMs
}

function broken(path: string, message: string): BrokenFile {
  const problem: Problem = { kind: 'file', id: '', message, source: 'file', key: path }
  return { state: 'broken', problems: [problem] }
}
