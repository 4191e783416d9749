/** One look at the file: whole, the same as before, or broken with the reason. */
import { hash } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { Stats } from 'node:fs'
import { parseDocument } from '../model/document.ts'
import type { ReadableDocument } from '../model/document.ts'
import type { Problem } from '../model/problem.ts'

export interface WholeFile {
  readonly state: 'whole'
  /** Of the content. */
  readonly revision: string
  readonly bytes: number
  readonly inode: number
  readonly document: ReadableDocument
}

export type Reading =
  | WholeFile
  | { readonly state: 'same' }
  | { readonly state: 'broken'; readonly problems: readonly Problem[] }

/** `known`: the revision that need not be taken apart again. */
export async function readDeclarations(path: string, known: string | null): Promise<Reading> {
  let content: { bytes: Buffer; inode: number }
  try {
    content = await readContent(path)
  } catch (error) {
    return broken(path, `cannot be read: ${reasonOf(error)}`)
  }
  const revision = hash('sha256', content.bytes, 'hex').slice(0, 16)
  if (revision === known) return { state: 'same' }

  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content.bytes)
  } catch {
    return broken(path, 'is not UTF-8 text')
  }
  const document = parseDocument(text, path)
  // A section under a misspelt name, or one that is no map, would read as "all of these are deleted".
  if (!document.readable || document.problems.length > 0) {
    return { state: 'broken', problems: document.problems }
  }
  return {
    state: 'whole',
    revision,
    bytes: content.bytes.length,
    inode: content.inode,
    document,
  }
}

async function readContent(path: string): Promise<{ bytes: Buffer; inode: number }> {
  const file = await open(path)
  try {
    const before = await file.stat()
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

function broken(path: string, message: string): Reading {
  const problem: Problem = { kind: 'file', id: '', message, source: 'file', key: path }
  return { state: 'broken', problems: [problem] }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  ELOOP: 'its symbolic links lead in a circle',
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error ? String(error.code) : ''
  return reasons[code] ?? error.message
}
