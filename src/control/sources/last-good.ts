/**
 * What one source declared last, on disk, so that a restart while the source is away serves. One file a source, JSON lines:
 *
 *   {"format":"sluice-last-good","version":1,"source":"etcd","place":["etcd 10.0.0.1:2379 /sluice (sluice)"],"revision":"17", ...}
 *   {"kind":"backend","id":"vote","value":{...},"key":"/sluice/backends/vote/backend"}
 *   {"kind":"frontend", ...}
 *   {"sha256":"of every byte above"}
 *
 * It is written beside and renamed, so that whoever is killed leaves the old or the new one. A file that is not whole is
 * never used in part: it is named, and moved aside as `.bad`. One of another place (other endpoints, another prefix, layout
 * or directory) is not used at all: what stood there is no version of what stands here. The objects may hold keys, so only the owner can read it.
 */
import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, renameSync, statSync, unlinkSync } from 'node:fs'
import { mkdir, open, rename, unlink } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { DeclaredObject } from '../../providers/provider.ts'
import { parseLastGood, toHeaderLine, toObjectLine, toSumLine } from './last-good-format.ts'
import type { LastGoodContent } from './last-good-format.ts'

export interface LastGoodFileOptions {
  /** Made if it is not there. */
  readonly folder: string
  /** Any text. */
  readonly source: string
  /** Names of the place that the source is at: it is the same place when one of them is. */
  readonly location?: readonly string[]
  /** ms since the epoch. */
  readonly now?: () => number
}

export type LoadedLastGood =
  | ({ readonly state: 'good' } & LastGoodContent)
  | { readonly state: 'none' }
  /** It is whole, and of another place: not to be used. The next save replaces it. */
  | { readonly state: 'moved'; readonly from: readonly string[] }
  /** `last-good/etcd-1a2b.jsonl cannot be used: it is cut off; moved aside as etcd-1a2b.jsonl.bad` */
  | { readonly state: 'unusable'; readonly reason: string }

export type SaveResult =
  { readonly saved: true; readonly at: number } | { readonly saved: false; readonly reason: string }

export interface LastGoodFile {
  /** Once, at the start, before anything is served: it reads in one go. */
  load(): LoadedLastGood
  /**
   * Answers when these objects, or later ones, are on disk. Saves wait for each other; of several that wait only the last
   * is written. The objects are copied at once, what they hold is not.
   */
  save(
    objects: Iterable<DeclaredObject>,
    revision: string,
    memory?: string,
    isHeld?: boolean,
  ): Promise<SaveResult>
}

interface PendingSave {
  readonly objects: readonly DeclaredObject[]
  readonly revision: string
  readonly memory: string
  readonly isHeld: boolean
  readonly resolve: (answer: SaveResult) => void
}

/** Between two turns of the event loop no more than this is made into text: some tenths of a millisecond. */
const SLICE_CHARACTERS = 64 * 1024
/** A file beside that nobody has written to for so long was left by a process that died. */
const ABANDONED_MS = 60_000

export function openLastGoodFile({
  folder,
  source,
  location = [],
  now = Date.now,
}: LastGoodFileOptions): LastGoodFile {
  const name = fileNameOf(source)
  const path = join(folder, name)
  let running: Promise<void> | null = null
  let next: PendingSave | null = null

  async function drain(): Promise<void> {
    while (next !== null) {
      const { resolve, ...content } = next
      next = null
      resolve(await write(content))
    }
    running = null
  }

  async function write({
    objects,
    revision,
    memory,
    isHeld,
  }: Omit<PendingSave, 'resolve'>): Promise<SaveResult> {
    const at = now()
    // A name of its own: while one process takes over from another, both write.
    const beside = `${path}.${randomBytes(6).toString('hex')}.tmp`
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const about = { source, place: location, revision, memory, isHeld }
      const header = { ...about, savedAt: at, objects: objects.length }
      await writeWhole(beside, toHeaderLine(header), objects)
      await rename(beside, path)
      await syncFolder(folder)
      return { saved: true, at }
    } catch (error) {
      await unlink(beside).catch(() => undefined)
      return { saved: false, reason: `cannot save ${path}: ${messageOf(error)}` }
    }
  }

  function rejectFile(reason: string): LoadedLastGood {
    const problem = `${path} cannot be used: ${reason}`
    try {
      renameSync(path, `${path}.bad`)
      return { state: 'unusable', reason: `${problem}; moved aside as ${name}.bad` }
    } catch (error) {
      return { state: 'unusable', reason: `${problem}; nor moved aside: ${messageOf(error)}` }
    }
  }

  return {
    load() {
      removeAbandoned(folder, name, now())
      let bytes: Buffer
      try {
        bytes = readFileSync(path)
      } catch (error) {
        if (isMissing(error)) return { state: 'none' }
        return { state: 'unusable', reason: `${path} cannot be read: ${messageOf(error)}` }
      }
      const parsed = parseLastGood(bytes, source)
      if (!parsed.ok) return rejectFile(parsed.reason)
      const { from } = parsed
      const isHere = location.length === 0 || from.some((name) => location.includes(name))
      return isHere ? { state: 'good', ...parsed.value } : { state: 'moved', from }
    },
    save(objects, revision, memory = '', isHeld = false) {
      const { promise, resolve } = Promise.withResolvers<SaveResult>()
      const overtaken = next
      next = { objects: [...objects], revision, memory, isHeld, resolve }
      if (overtaken !== null) void promise.then(overtaken.resolve)
      running ??= drain()
      return promise
    },
  }
}

async function writeWhole(
  path: string,
  header: string,
  objects: readonly DeclaredObject[],
): Promise<void> {
  const sum = createHash('sha256')
  const file = await open(path, 'wx', 0o600)
  try {
    let text = header
    for (const object of objects) {
      text += toObjectLine(object)
      if (text.length < SLICE_CHARACTERS) continue
      await append(file, text, sum)
      text = ''
    }
    await append(file, text, sum)
    await file.writeFile(toSumLine(sum.digest('hex')))
    await file.sync()
  } finally {
    await file.close()
  }
}

async function append(
  file: FileHandle,
  text: string,
  sum: ReturnType<typeof createHash>,
): Promise<void> {
  const bytes = Buffer.from(text)
  sum.update(bytes)
  await file.writeFile(bytes)
}

// The rename is on disk only when its folder is.
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function removeAbandoned(folder: string, name: string, now: number): void {
  try {
    for (const file of readdirSync(folder)) {
      if (!file.startsWith(`${name}.`) || !file.endsWith('.tmp')) continue
      const path = join(folder, basename(file))
      if (now - statSync(path).mtimeMs > ABANDONED_MS) unlinkSync(path)
    }
  } catch {
    // No folder yet, or one that is only read: they are in nobody's way.
  }
}

// A name may be anything, and two names one file on a disk that does not tell cases apart: the hash is what tells them apart.
function fileNameOf(source: string): string {
  const readable = source
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
  const hash = createHash('sha256').update(source).digest('hex').slice(0, 16)
  return `${readable}-${hash}.jsonl`
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
