/** The files that a declaration refers to, secrets for example. Each is read once per read of the declaration; a hash detects changes. */
import { hash } from 'node:crypto'
import { dirname, resolve } from 'node:path'
import { MAX_REFERENCED_BYTES } from '../../document/references.ts'
import { fileErrorReason } from '../../model/file-error.ts'
import { readBounded } from '../../model/read-bounded.ts'

/** From absolute path to a hash of the content, or to the reason why it could not be read. Texts are not kept. */
export type References = ReadonlyMap<string, string>

export interface ReferenceReader {
  /** The text of a file; a relative path starts at the declaring file. */
  readonly readFile: (path: string) => string
  readonly references: References
}

export function createReferenceReader(declaring: string): ReferenceReader {
  const directory = dirname(resolve(declaring))
  const references = new Map<string, string>()
  const texts = new Map<string, string>()
  return {
    references,
    readFile(path) {
      const target = resolve(directory, path)
      const known = texts.get(target)
      if (known !== undefined) return known
      try {
        const text = readReference(target)
        texts.set(target, text)
        references.set(target, stampOf(text))
        return text
      } catch (error) {
        references.set(target, fileErrorReason(error))
        throw new Error(fileErrorReason(error), { cause: error })
      }
    },
  }
}

export function haveChanged(references: References): boolean {
  return [...references].some(([path, stamp]) => {
    try {
      return stampOf(readReference(path)) !== stamp
    } catch (error) {
      return fileErrorReason(error) !== stamp
    }
  })
}

/** Different for different contents. Revisions are public, and a short secret could be guessed from its plain hash. */
export function revisionOf(content: string, references: References): string {
  if (references.size === 0) return content
  const all = [...references].map(([path, stamp]) => `${path}\n${stamp}\n`).join('')
  return `${content}.${hash('sha256', all, 'hex').slice(0, 8)}`
}

const SALT = crypto.randomUUID()

function stampOf(text: string): string {
  return hash('sha256', SALT + text, 'hex')
}

function readReference(path: string): string {
  return readBounded(path, { maxBytes: MAX_REFERENCED_BYTES }).toString('utf8')
}
