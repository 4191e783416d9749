/** A source's settings with the text of the files that they name (authorities, a certificate and its key). */
import type { SourceSpec } from '../../model/settings.ts'
import { sourceKindOf } from '../../providers/catalog/sources.ts'
import { createReadBeside } from './read-beside.ts'

/** Relative paths start at the settings' file. Throws with a reason for each file that cannot be used. */
export function withFiles(spec: SourceSpec, config: string): SourceSpec {
  const read = sourceKindOf(spec).withFiles(spec, createReadBeside(config))
  if (read.ok) return read.value
  throw new Error(read.problems.map(({ message }) => message).join('; '))
}
