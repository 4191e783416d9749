/** The text of a template: within the settings, or a file that is read anew for each rendering. */
import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from 'node:fs'
import { fileErrorReason } from '../model/file-error.ts'
import type { TemplateSettings } from '../model/template-settings.ts'

const MAX_BYTES = 1024 ** 2

/** @throws {Error} the file cannot be read, with the reason */
export function readTemplate({ text }: Pick<TemplateSettings, 'text'>): string {
  if ('inline' in text) return text.inline
  try {
    return readText(text.path)
  } catch (cause) {
    throw new Error(`cannot read the template ${text.path}: ${fileErrorReason(cause)}`, { cause })
  }
}

/** Another one for another content, in all likelihood, and for another reason why there is no file. Never throws. */
export function signatureOf({ text }: Pick<TemplateSettings, 'text'>): string {
  if ('inline' in text) return ''
  try {
    const { ino, size, mtimeNs } = statSync(text.path, { bigint: true })
    return `${ino} ${size} ${mtimeNs}`
  } catch (error) {
    return fileErrorReason(error)
  }
}

function readText(path: string): string {
  // Opening a pipe would block for ever.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const stat = fstatSync(file)
    if (stat.isDirectory()) throw new Error('it is a directory')
    if (!stat.isFile()) throw new Error('it is not a regular file')
    if (stat.size > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES >> 20} MiB`)
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readFileSync(file))
  } catch (error) {
    if (error instanceof TypeError) throw new Error('it is not UTF-8 text', { cause: error })
    throw error
  } finally {
    closeSync(file)
  }
}
