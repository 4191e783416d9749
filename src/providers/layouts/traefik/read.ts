/** Readers for values of several objects of Traefik. */
import { formatDuration, parseDuration } from '../../../model/units.ts'
import { quote } from '../../../model/parsed.ts'
import { TranslationError } from '../translation.ts'
import type { Branch } from './branch.ts'

/** In ms; null if it is missing. */
export function readSpan(branch: Branch, name: string): number | null {
  const text = branch.text(name)
  if (text === null || text === '') return null
  const ms = parseDuration(text, 0, Number.MAX_SAFE_INTEGER)
  if (ms.ok) return ms.value
  throw new TranslationError(`${name}: must be a duration such as 10s or 500ms, not ${quote(text)}`)
}

/** In the notation of Sluice; 0 is Traefik's default. */
export function spanOr(branch: Branch, name: string, normal: string): string {
  const ms = readSpan(branch, name)
  return ms === null || ms === 0 ? normal : formatDuration(ms)
}

/** More than 0; null if it is missing. */
export function readCount(branch: Branch, name: string): number | null {
  const found = branch.whole(name)
  if (found === null || found > 0) return found
  throw new TranslationError(`${name}: must be more than 0, not ${found}`)
}

/** A map from names to texts: `headers/X-Who = me`. */
export function readFields(branch: Branch, name: string): Record<string, string> {
  const depth = name.split('/').length
  const fields = branch.below(name).map(({ segments, text }): [string, string] => {
    if (segments.length > depth + 1)
      throw new TranslationError(`${name}: a field cannot have a / in its name`)
    return [segments[depth] ?? '', text]
  })
  return Object.fromEntries(fields.sort(([one], [other]) => (one < other ? -1 : 1)))
}
