/**
 * One file of a directory: what was read from it last, and what to make of how it looks now. What looks unfinished is in
 * doubt for a moment before it is believed; a bad file keeps what was read from it last, and says why.
 */
import { lstat, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Problem } from '../../model/problem.ts'
import { readDeclarations } from '../file/reading.ts'
import type { KnownFile, ReadingOptions, WholeFile } from '../file/reading.ts'
import { haveChanged } from '../file/references.ts'
import { changingMs, lookAgainMs, shorterMs, unfinishedMs } from '../file/settle.ts'
import type { DeclaredObject } from '../provider.ts'

export interface GoodFile extends KnownFile {
  readonly revision: string
  readonly bytes: number
  readonly inode: number
  readonly objects: readonly DeclaredObject[]
  /** Settings, which mean nothing here. */
  readonly problems: readonly Problem[]
}

interface Doubt {
  readonly kind: 'missing' | 'broken' | 'shorter'
  /** ms since the epoch. */
  readonly since: number
  /** How it looked when it last looked different, and since when it looks like that. */
  readonly signature: string
  readonly stillSince: number
}

export interface KeptFile {
  readonly name: string
  readonly good: GoodFile | null
  /** Why what stands there now is not what is declared. */
  readonly trouble: readonly Problem[]
  readonly signature: string
  readonly doubt: Doubt | null
  /** The directory that its symlink leads to; null for a plain file. */
  readonly target: string | null
  /** The file itself, under any name: its inode and its birth. */
  readonly body: string
}

export interface Look {
  readonly directory: string
  readonly name: string
  readonly kept: KeptFile | null
  readonly source: string
  readonly env: ReadingOptions['env']
  readonly maxBytes: number
  /** Somebody wants it read, however it looks. */
  readonly isAsked: boolean
  readonly now: number
}

/** The same object: nothing is new. Null: there is no such file. */
export async function lookAt(look: Look): Promise<KeptFile | null> {
  const { directory, name, kept, isAsked } = look
  const path = join(directory, name)
  const { signature, isThere, target, body } = await describeEntry(path)
  const isSame = kept !== null && kept.doubt === null && signature === kept.signature
  if (isSame && !isAsked && !haveChanged(kept.good?.references ?? new Map())) return kept

  const [good, trouble] = [kept?.good ?? null, kept?.trouble ?? []]
  const base = { name, good, trouble, signature, target, body }
  if (!isThere) {
    if (kept === null || kept.good === null) return null
    const doubt = doubtOf('missing', look, signature)
    return isBelieved(doubt, look.now) ? null : { ...base, doubt }
  }

  const { env, maxBytes } = look
  const known = isAsked || kept === null || kept.trouble.length > 0 ? null : kept.good
  const reading = await readDeclarations(path, { known, env, maxBytes })
  if (reading.state === 'same') return { ...base, trouble: [], doubt: null }
  if (reading.state === 'broken') {
    const doubt = doubtOf('broken', look, signature)
    if (!isAsked && !isBelieved(doubt, look.now)) return { ...base, doubt }
    return { ...base, trouble: reading.problems.map((one) => from(look.source, one)), doubt: null }
  }
  if (isShorter(reading, base.good) && !isAsked) {
    const doubt = doubtOf('shorter', look, signature)
    if (!isBelieved(doubt, look.now)) return { ...base, doubt }
  }
  const part = toPart(name, body)
  return { ...base, good: toGood(reading, path, look.source, part), trouble: [], doubt: null }
}

interface Entry {
  /** As a file, or as a symlink that leads to one or nowhere. */
  readonly isThere: boolean
  readonly signature: string
  readonly target: string | null
  readonly body: string
}

async function describeEntry(path: string): Promise<Entry> {
  let isLink = false
  try {
    const entry = await lstat(path, { bigint: true })
    isLink = entry.isSymbolicLink()
    const stats = isLink ? await stat(path, { bigint: true }) : entry
    const { dev, ino, size, mtimeNs, ctimeNs, birthtimeNs } = stats
    const signature = [dev, ino, size, mtimeNs, ctimeNs].join(':')
    const target = isLink ? dirname(await realpath(path)) : null
    return { isThere: stats.isFile(), signature, target, body: `${ino}:${birthtimeNs}` }
  } catch (error) {
    return { isThere: isLink, signature: String(error), target: null, body: '' }
  }
}

function doubtOf(kind: Doubt['kind'], { kept, now }: Look, signature: string): Doubt {
  const before = kept?.doubt ?? null
  const since = before?.since ?? now
  const stillSince =
    before?.signature === signature && before.kind === kind ? before.stillSince : now
  return { kind, since, signature, stillSince }
}

function isBelieved({ kind, since, stillSince }: Doubt, now: number): boolean {
  if (now - since >= changingMs) return true
  return kind === 'shorter'
    ? now - stillSince >= shorterMs
    : now - since >= unfinishedMs && now - stillSince >= lookAgainMs
}

// Another inode was renamed into its place and is whole; the same one, shorter, may have been emptied to be written.
function isShorter(whole: WholeFile, good: GoodFile | null): boolean {
  return good !== null && whole.inode === good.inode && whole.bytes < good.bytes
}

/** What its objects say of where they stand: the name, and the file itself, which a renaming keeps. */
function toPart(name: string, body: string): string {
  return `${body} ${name}`
}

/** Whether an object stood in this file, or in this one before it was renamed. */
export function isPartOf({ part, key }: DeclaredObject, { name, body }: KeptFile): boolean {
  if (part === undefined) return basename(key.slice(0, key.lastIndexOf('#/'))) === name
  const space = part.indexOf(' ')
  return part.slice(space + 1) === name || (body !== '' && part.slice(0, space) === body)
}

function toGood(whole: WholeFile, path: string, source: string, part: string): GoodFile {
  const { content, references, revision, bytes, inode, document } = whole
  const problems = Object.keys(document.settings).map((key): Problem => {
    const message = `${key}: settings stand in the main file only; here it means nothing`
    const at = document.locateSetting([key])
    return { kind: 'settings', id: '', message, source, key: `${path}#/${key}`, ...at }
  })
  const objects = document.objects.map((object) => ({ ...object, part }))
  return { content, references, revision, bytes, inode, objects, problems }
}

function from(source: string, problem: Problem): Problem {
  return { ...problem, source }
}
