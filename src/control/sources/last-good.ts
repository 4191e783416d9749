/**
 * The last good snapshot of a source on disk, so that a restart without the source can serve. One file a source, JSON lines:
 *
 *   {"format":"sluice-last-good","version":1,"source":"etcd","place":["etcd 10.0.0.1:2379 /sluice (sluice)"],"revision":"17", ...}
 *   {"kind":"backend","id":"vote","value":{...},"key":"/sluice/backends/vote/backend"}
 *   {"kind":"frontend", ...}
 *   {"sha256":"of every byte above"}
 *
 * A temporary file is renamed over it, so that a killed process leaves the old or the new file. A damaged file is never used
 * in part: it is reported and renamed to `.bad`. A file of another location (other endpoints, another prefix, layout or
 * directory) is not used, because its objects are no versions of the objects here. Objects may contain keys: only the owner
 * can read the file.
 */
import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, renameSync, statSync, unlinkSync } from 'node:fs'
import { mkdir, open, rename, unlink } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { messageOf } from '../../model/error-message.ts'
import type { DeclaredObject } from '../../providers/provider.ts'
import { parseLastGood, toHeaderLine, toObjectLine, toSumLine } from './last-good-format.ts'
import type { LastGoodContent } from './last-good-format.ts'

export interface LastGoodFileOptions {
  /** Created if it is missing. */
  readonly folder: string
  /** Any text. */
  readonly source: string
  /** Names of the source's location. A file fits if it has one of them. */
  readonly location?: readonly string[]
  /** ms since the epoch. */
  readonly now?: () => number
}

export type LoadedLastGood =
  | ({ readonly state: 'good' } & LastGoodContent)
  | { readonly state: 'none' }
  /** Of another location: it must not be used. The next save replaces it. */
  | { readonly state: 'moved'; readonly from: readonly string[] }
  /** `last-good/etcd-1a2b.jsonl cannot be used: it is cut off; moved aside as etcd-1a2b.jsonl.bad` */
  | { readonly state: 'unusable'; readonly reason: string }

export type SaveResult =
  { readonly saved: true; readonly at: number } | { readonly saved: false; readonly reason: string }

export interface LastGoodFile {
  /** Reads synchronously; called once, at the start. */
  load(): LoadedLastGood
  /**
   * Resolves when these objects, or later ones, are on disk. Saves run one after another; of several that wait only the last
   * is written. The list of objects is copied immediately, the objects are not.
   */
  save(
    objects: Iterable<DeclaredObject>,
    revision: string,
    memory?: string,
    isHeld?: boolean,
  ): Promise<SaveResult>
}

/**
 * Saves once `owned` has resolved to true: until then another program saves there. If it resolves to false, this one ends, and
 * what it would have saved belongs to nothing.
 */
export function savedBy(file: LastGoodFile, owned: Promise<boolean>): LastGoodFile {
  return {
    load: () => file.load(),
    save: async (objects, ...rest) =>
      (await owned) ? file.save(objects, ...rest) : { saved: true, at: Date.now() },
  }
}

interface PendingSave {
  readonly objects: readonly DeclaredObject[]
  readonly revision: string
  readonly memory: string
  readonly isHeld: boolean
  readonly resolve: (result: SaveResult) => void
}

/** At most this much text is made in one turn of the event loop: some tenths of a millisecond. */
const SLICE_CHARACTERS = 64 * 1024
/** A temporary file not written to for this long was left by a process that died. */
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
    // A unique name: while one process takes over from another, both write.
    const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const about = { source, place: location, revision, memory, isHeld }
      const header = { ...about, savedAt: at, objects: objects.length }
      await writeWhole(temporary, toHeaderLine(header), objects)
      await rename(temporary, path)
      await syncFolder(folder)
      return { saved: true, at }
    } catch (error) {
      await unlink(temporary).catch(() => undefined)
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

// A rename is durable only once its folder is synced.
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
    // There is no folder yet, or it is read-only: left files do no harm.
  }
}

// A name may be any text, and the disk may not distinguish case: the hash makes the file name unique.
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
