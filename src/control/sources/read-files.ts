/** The files that declared objects and sources name: certificates, keys, authorities. */
import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { SourceSpec } from '../../model/settings.ts'
import { sourceKindOf } from '../../providers/catalog/sources.ts'

const MAX_BYTES = 1024 ** 2

/**
 * Returns a reader of files. Relative paths start at the directory of `file`, which names them. The reader throws if the
 * path is missing, too large, or a device or a pipe, whose read might never end.
 */
export function createFileReader(file: string): (path: string) => string {
  const directory = dirname(resolve(file))
  return (path) => {
    const target = resolve(directory, path)
    const stat = statSync(target)
    // Reading a directory throws an error that names it.
    if (!stat.isFile() && !stat.isDirectory()) throw new Error('it is not a regular file')
    if (stat.size > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES} bytes`)
    return readFileSync(target, 'utf8')
  }
}

/** The settings of a source with the text of the files that they name. Throws with a reason for each unusable file. */
export function withFiles(spec: SourceSpec, config: string): SourceSpec {
  const read = sourceKindOf(spec).withFiles(spec, createFileReader(config))
  if (read.ok) return read.value
  throw new Error(read.problems.map(({ message }) => message).join('; '))
}
