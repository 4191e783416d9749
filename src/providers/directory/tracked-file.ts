/**
 * One file of a directory: its last valid content and its current state. A file that looks unfinished is unstable for a
 * moment before its new content counts. An invalid file keeps its last valid content and reports why.
 */
import { lstat, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Problem } from '../../model/problem.ts'
import { readDeclarations } from '../file/reading.ts'
import type { KnownFile, ReadingOptions, WholeFile } from '../file/reading.ts'
import { haveChanged } from '../file/references.ts'
import { CHANGING_MS, RETRY_MS, SHORTER_MS, UNFINISHED_MS } from '../file/debounce.ts'
import type { DeclaredObject } from '../provider.ts'

export interface GoodFile extends KnownFile {
  readonly revision: string
  readonly bytes: number
  readonly inode: number
  readonly objects: readonly DeclaredObject[]
  /** Of settings, which have no effect here. */
  readonly problems: readonly Problem[]
}

interface Unstable {
  readonly kind: 'missing' | 'broken' | 'shorter'
  /** ms since the epoch. */
  readonly since: number
  /** The signature when it last changed, and when that was. */
  readonly signature: string
  readonly stillSince: number
}

export interface TrackedFile {
  readonly name: string
  readonly good: GoodFile | null
  /** Why the current content is not the declared one. */
  readonly problems: readonly Problem[]
  readonly signature: string
  readonly unstable: Unstable | null
  /** The directory that its symlink leads to; null for a regular file. */
  readonly target: string | null
  /** Identifies the file after a rename: its inode and birth time. */
  readonly body: string
}

export interface RefreshOptions {
  readonly directory: string
  readonly name: string
  readonly tracked: TrackedFile | null
  readonly source: string
  readonly env: ReadingOptions['env']
  readonly maxBytes: number
  /** A reload was requested: it is read even if it looks unchanged or unstable. */
  readonly isReload: boolean
  readonly now: number
}

/** Returns the same object if nothing has changed, and null if the file does not exist. */
export async function refreshFile(look: RefreshOptions): Promise<TrackedFile | null> {
  const { directory, name, tracked, isReload } = look
  const path = join(directory, name)
  const { signature, isThere, target, body } = await statFile(path)
  const isSame = tracked !== null && tracked.unstable === null && signature === tracked.signature
  if (isSame && !isReload && !haveChanged(tracked.good?.references ?? new Map())) return tracked

  const [good, problems] = [tracked?.good ?? null, tracked?.problems ?? []]
  const base = { name, good, problems, signature, target, body }
  if (!isThere) {
    if (tracked === null || tracked.good === null) return null
    const unstable = unstableSince('missing', look, signature)
    return isStable(unstable, look.now) ? null : { ...base, unstable: unstable }
  }

  const { env, maxBytes } = look
  const known = isReload || tracked === null || tracked.problems.length > 0 ? null : tracked.good
  const reading = await readDeclarations(path, { known, env, maxBytes })
  if (reading.state === 'same') return { ...base, problems: [], unstable: null }
  if (reading.state === 'broken') {
    const unstable = unstableSince('broken', look, signature)
    if (!isReload && !isStable(unstable, look.now)) return { ...base, unstable: unstable }
    return {
      ...base,
      problems: reading.problems.map((one) => from(look.source, one)),
      unstable: null,
    }
  }
  if (isShorter(reading, base.good) && !isReload) {
    const unstable = unstableSince('shorter', look, signature)
    if (!isStable(unstable, look.now)) return { ...base, unstable: unstable }
  }
  const part = toPart(name, body)
  return { ...base, good: toGood(reading, path, look.source, part), problems: [], unstable: null }
}

interface FileState {
  /** As a file, or as a symlink to a file or to nowhere. */
  readonly isThere: boolean
  readonly signature: string
  readonly target: string | null
  readonly body: string
}

async function statFile(path: string): Promise<FileState> {
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

function unstableSince(
  kind: Unstable['kind'],
  { tracked, now }: RefreshOptions,
  signature: string,
): Unstable {
  const before = tracked?.unstable ?? null
  const since = before?.since ?? now
  const stillSince =
    before?.signature === signature && before.kind === kind ? before.stillSince : now
  return { kind, since, signature, stillSince }
}

function isStable({ kind, since, stillSince }: Unstable, now: number): boolean {
  if (now - since >= CHANGING_MS) return true
  return kind === 'shorter'
    ? now - stillSince >= SHORTER_MS
    : now - since >= UNFINISHED_MS && now - stillSince >= RETRY_MS
}

// A file that was renamed into its place is complete; one that got shorter in place may be half written.
function isShorter(whole: WholeFile, good: GoodFile | null): boolean {
  return good !== null && whole.inode === good.inode && whole.bytes < good.bytes
}

/** The origin that its objects carry: the name, and the identity that a rename keeps. */
function toPart(name: string, body: string): string {
  return `${body} ${name}`
}

/** Whether an object came from this file, also under its earlier name. */
export function isPartOf({ part, key }: DeclaredObject, { name, body }: TrackedFile): boolean {
  if (part === undefined) return basename(key.slice(0, key.lastIndexOf('#/'))) === name
  const space = part.indexOf(' ')
  return part.slice(space + 1) === name || (body !== '' && part.slice(0, space) === body)
}

function toGood(whole: WholeFile, path: string, source: string, part: string): GoodFile {
  const { content, references, revision, bytes, inode, document } = whole
  const problems = Object.keys(document.settings).map((key): Problem => {
    const message = `${key}: settings belong in the main file only; here it has no effect`
    const at = document.locateSetting([key])
    return { kind: 'settings', id: '', message, source, key: `${path}#/${key}`, ...at }
  })
  const objects = document.objects.map((object) => ({ ...object, part }))
  return { content, references, revision, bytes, inode, objects, problems }
}

function from(source: string, problem: Problem): Problem {
  return { ...problem, source }
}
