/** A source's settings with the text of the files they name (authorities, a certificate and its key). */
import { readSourceFiles } from '../../schema/source-files.ts'
import type { SourceSpec } from '../../model/source-spec.ts'
import { createReadBeside } from './read-beside.ts'

/** Relative paths start at the settings' file. Throws with a reason for each file that cannot be used. */
export function withFiles<T extends SourceSpec>(spec: T, config: string): T {
  const read = readSourceFiles(spec, createReadBeside(config))
  // Only paths become text: it is the same kind of source.
  if (read.ok) return read.value as T
  throw new Error(read.problems.map(({ message }) => message).join('; '))
}
