/**
 * A file beside the rendered one says that its reload is due: it is there from before the rename until a reload succeeds. So a program that
 * starts after one that was killed knows that the new file may not have been read.
 */
import { lstat, unlink, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileErrorReason } from '../model/file-error.ts'

const TEXT =
  'The reload of the file is due. Sluice runs it when it starts, and removes this file.\n'

function noteOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.sluice-reload`)
}

export async function isReloadDue(path: string): Promise<boolean> {
  const stat = await lstat(noteOf(path)).catch(() => null)
  return stat?.isFile() === true
}

/** @throws {Error} why it cannot be noted */
export async function noteReload(path: string): Promise<void> {
  try {
    await writeFile(noteOf(path), TEXT, { flag: 'wx', mode: 0o644 })
  } catch (cause) {
    if (await isReloadDue(path)) return
    const reason = fileErrorReason(cause)
    throw new Error(`cannot note in the folder of ${path} that its reload is due: ${reason}`, {
      cause,
    })
  }
}

export async function clearReload(path: string): Promise<void> {
  await unlink(noteOf(path)).catch(() => {})
}
