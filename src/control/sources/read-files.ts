/** The files that declared objects and sources name: certificates, keys, authorities. */
import { dirname, resolve } from 'node:path'
import { readBounded } from '../../model/read-bounded.ts'
import type { SourceSpec } from '../../model/settings.ts'
import { sourceKindOf } from '../../providers/catalog/sources.ts'

const MAX_BYTES = 1024 ** 2

/**
 * Returns a reader of files. Relative paths start at the directory of `file`, which names them. The reader throws if the
 * path is missing, too large, or a device or a pipe, whose read might never end.
 */
export function createFileReader(file: string): (path: string) => string {
  const directory = dirname(resolve(file))
  return (path) => readBounded(resolve(directory, path), { maxBytes: MAX_BYTES }).toString('utf8')
}

/** The settings of a source with the text of the files that they name. Throws with a reason for each unusable file. */
export function withFiles(spec: SourceSpec, config: string): SourceSpec {
  const read = sourceKindOf(spec).withFiles(spec, createFileReader(config))
  if (read.ok) return read.value
  throw new Error(read.problems.map(({ message }) => message).join('; '))
}
