/** The source of the settings whose endpoint, TLS and login an actuator uses: no object holds credentials of its own. */
import { quote } from '../../model/parsed.ts'
import type { SourceSpec } from '../../model/settings.ts'

/**
 * `name`: null: the only source of the kind; then null if there is none. Throws if the source does not exist, is of another
 * kind, or if there are several to choose from.
 */
export function findSource(
  kind: string,
  name: string | null,
  sources: readonly SourceSpec[],
): SourceSpec | null {
  const ofKind = sources.filter((source) => source.kind === kind)
  if (name === null) {
    if (ofKind.length < 2) return ofKind[0] ?? null
    const names = ofKind.map((source) => quote(source.name)).join(', ')
    throw new Error(`there are several sources of kind ${kind} (${names}): name one as source`)
  }
  const found = sources.find((source) => source.name === name)
  if (found === undefined) {
    throw new Error(`there is no source ${quote(name)}: declare it below sources, of kind ${kind}`)
  }
  if (found.kind !== kind) {
    throw new Error(`source ${quote(name)} is of kind ${found.kind}, not ${kind}`)
  }
  return found
}
