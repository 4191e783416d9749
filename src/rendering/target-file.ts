/**
 * The file that a template is rendered to. A new version is staged beside it, with its mode and owner, and renamed over it, so that
 * no reader sees a part of it. Nothing follows a symbolic link at the path: it is replaced by a file, and what it leads to stays.
 */
import { constants } from 'node:fs'
import { lstat, open, rename, unlink, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileErrorReason } from '../model/file-error.ts'

export interface FileForm {
  readonly path: string
  /** Null: that of the file that is there, else 0o644. */
  readonly mode: number | null
  readonly uid: number
  readonly gid: number
}

export interface Difference {
  /** What differs: `content`, `mode 0600 instead of 0644`. Empty: nothing does. */
  readonly what: readonly string[]
  readonly mode: number
}

const NORMAL_MODE = 0o644
const PERMISSIONS = 0o7777

/** @throws {Error} the file cannot be compared, or nothing can be written to its path */
export async function compare(form: FileForm, content: Buffer): Promise<Difference> {
  const { path, uid, gid } = form
  const stat = await lstat(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null
    throw new Error(`cannot look at ${path}: ${fileErrorReason(error)}`, { cause: error })
  })
  if (stat === null) {
    await refuseMissingFolder(path)
    return { what: ['it does not exist'], mode: form.mode ?? NORMAL_MODE }
  }
  if (stat.isSymbolicLink())
    return { what: ['it is a symbolic link'], mode: form.mode ?? NORMAL_MODE }
  if (stat.isDirectory()) throw new Error(`cannot write ${path}: it is a directory`)
  if (!stat.isFile()) throw new Error(`cannot write ${path}: it is not a regular file`)
  const found = stat.mode & PERMISSIONS
  const mode = form.mode ?? found
  const what: string[] = []
  if (stat.size !== content.length || !(await holds(path, content))) what.push('content')
  if (found !== mode) what.push(`mode ${octal(found)} instead of ${octal(mode)}`)
  if (stat.uid !== uid) what.push(`uid ${stat.uid} instead of ${uid}`)
  if (stat.gid !== gid) what.push(`gid ${stat.gid} instead of ${gid}`)
  return { what, mode }
}

/**
 * Makes a new file in the same folder, in place of the one that this process has staged before.
 * @param staged its path, see staged-name.ts
 * @throws {Error} it cannot be written, or its owner cannot be set; nothing is left
 */
export async function stage(
  form: FileForm,
  mode: number,
  content: Buffer,
  staged: string,
): Promise<void> {
  const { path, uid, gid } = form
  await discard(staged)
  let file: FileHandle
  try {
    // Its mode is set once the owner is: until then it is for this process.
    file = await open(staged, 'wx', 0o600)
  } catch (cause) {
    throw cannotStage(path, cause)
  }
  try {
    await file.writeFile(content).catch((cause: unknown) => {
      throw cannotStage(path, cause)
    })
    await setForm(file, path, { mode, uid, gid })
    await file.sync()
  } catch (error) {
    await discard(staged)
    throw error
  } finally {
    await file.close()
  }
}

/**
 * Renames the staged file over the target. A target that is mounted cannot be replaced and is written in place, which a reader may see
 * half done; the staged file stays then.
 */
export async function replace(
  { path, uid, gid }: FileForm,
  mode: number,
  staged: string,
  content: Buffer,
  renameFile: (from: string, to: string) => Promise<void> = rename,
): Promise<'renamed' | 'written'> {
  try {
    await renameFile(staged, path)
    return 'renamed'
  } catch (cause) {
    if (codeOf(cause) !== 'EBUSY')
      throw new Error(`cannot replace ${path}: ${fileErrorReason(cause)}`, { cause })
  }
  const file = await open(path, constants.O_WRONLY | constants.O_NOFOLLOW)
  try {
    let at = 0
    while (at < content.length)
      at += (await file.write(content, at, content.length - at, at)).bytesWritten
    await file.truncate(content.length)
    await setForm(file, path, { mode, uid, gid })
    await file.sync()
  } finally {
    await file.close()
  }
  return 'written'
}

function cannotStage(path: string, cause: unknown): Error {
  return new Error(`cannot stage ${path} in its folder: ${fileErrorReason(cause)}`, { cause })
}

/** Removes a staged file, if it is there. */
export async function discard(staged: string): Promise<void> {
  await unlink(staged).catch(() => {})
}

async function setForm(
  file: FileHandle,
  path: string,
  { mode, uid, gid }: { readonly mode: number; readonly uid: number; readonly gid: number },
): Promise<void> {
  const stat = await file.stat()
  if (stat.uid !== uid || stat.gid !== gid) {
    try {
      await file.chown(uid, gid)
    } catch (cause) {
      const help = 'only root may give files away: run as root, or leave out uid and gid'
      const message = `cannot make ${uid}:${gid} the owner of ${path}: ${fileErrorReason(cause)}; ${help}`
      throw new Error(message, { cause })
    }
  }
  await file.chmod(mode)
}

async function refuseMissingFolder(path: string): Promise<void> {
  const folder = dirname(path)
  const stat = await lstat(folder).catch(() => null)
  if (stat === null)
    throw new Error(`cannot write ${path}: there is no folder ${folder}; make it first`)
}

async function holds(path: string, content: Buffer): Promise<boolean> {
  let file: FileHandle
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (cause) {
    throw new Error(`cannot read ${path}: ${fileErrorReason(cause)}`, { cause })
  }
  try {
    const found = Buffer.alloc(content.length)
    let length = 0
    while (length < found.length) {
      const { bytesRead } = await file.read(found, length, found.length - length, length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    return length === content.length && found.equals(content)
  } finally {
    await file.close()
  }
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
