/** The text of a template: within the settings, or a file that is read anew for each rendering. */
import { statSync } from 'node:fs'
import { fileErrorReason } from '../model/file-error.ts'
import { readBoundedText } from '../model/read-bounded.ts'
import type { TemplateSettings } from '../model/template-settings.ts'

const MAX_BYTES = 1024 ** 2

/** @throws {Error} the file cannot be read, with the reason */
export function readTemplate({ text }: Pick<TemplateSettings, 'text'>): string {
  if ('inline' in text) return text.inline
  try {
    return readBoundedText(text.path, { maxBytes: MAX_BYTES })
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
