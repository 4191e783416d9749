/** Files that a user names on the command line. */
import { writeFileSync } from 'node:fs'
import { fileErrorReason } from '../model/file-error.ts'
import { readBoundedText } from '../model/read-bounded.ts'

const MAX_BYTES = 64 << 20

/** Throws with the path and the reason. */
export function readText(path: string): string {
  try {
    return readBoundedText(path, { maxBytes: MAX_BYTES, isAnyKind: true })
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
