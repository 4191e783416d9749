/** Files that a user names on the command line. */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileErrorReason } from '../model/file-error.ts'

/** Throws with the path and the reason. */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new Error(`cannot read ${path}: ${fileErrorReason(error)}`, { cause: error })
  }
}

/** Replaces a file; a new one can be read by its user only. Throws with the path and the reason. */
export function writeSecret(path: string, text: string): void {
  try {
    writeFileSync(path, text, { mode: 0o600 })
  } catch (error) {
    throw new Error(`cannot write ${path}: ${fileErrorReason(error)}`, { cause: error })
  }
}
