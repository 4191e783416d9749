/** Files that a command is to read as a whole. */
import { readFileSync } from 'node:fs'
import { fileErrorReason } from '../model/file-error.ts'

/** Throws with the reason, without the path. */
export function readFileText(path: string, maxBytes: number): string {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (error) {
    throw new Error(fileErrorReason(error), { cause: error })
  }
  if (bytes.length > maxBytes) {
    throw new Error(`it has ${bytes.length} bytes, at most ${maxBytes} are read`)
  }
  return bytes.toString('utf8')
}
