/**
 * Fails vulcand's routes closed if they cannot be translated. vulcand keeps the last good version of an object that becomes
 * malformed, and so does Sluice: only an object that was never good is closed. An unknown middleware may restrict access.
 */
import type { JsonMap } from '../../../model/parsed.ts'
import { CLOSED_RESPONSE, type FailClosed } from '../../fail-closed.ts'
import type { ObjectKind } from '../../../model/names.ts'
import { TranslationError } from '../translation.ts'
import { readStruct } from './go-json.ts'

/** Kinds that only record requests. A request that is not rewritten could reach what its rule keeps it from. */
const HARMLESS = ['trace']

/** `map`: null if the text is not a map. Returns null if the object need not be closed. */
export function closedFormOf(kind: ObjectKind, map: JsonMap | null): FailClosed | null {
  if (kind === 'middleware') return HARMLESS.includes(readText(map, 'Type')) ? null : CLOSED
  const route = kind === 'frontend' ? readText(map, 'Route') : ''
  return route === '' ? null : closing({ route, respond: CLOSED_RESPONSE })
}

const CLOSED = closing({ kind: 'respond', ...CLOSED_RESPONSE })

function closing(value: unknown): FailClosed {
  return { values: [value], after: 'last-good' }
}

function readText(map: JsonMap | null, name: string): string {
  if (map === null) return ''
  try {
    return readStruct(map).text(name)
  } catch (error) {
    if (error instanceof TranslationError) return ''
    throw error
  }
}
