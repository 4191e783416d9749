/** Files that a command is to read as a whole. */
import { fileErrorReason } from '../model/file-error.ts'
import { readBoundedText } from '../model/read-bounded.ts'

/** A pipe or a device is read to its end. Throws with the reason, without the path. */
export function readFileText(path: string, maxBytes: number): string {
  try {
    return readBoundedText(path, { maxBytes, isAnyKind: true })
  } catch (error) {
    throw new Error(fileErrorReason(error), { cause: error })
  }
}
