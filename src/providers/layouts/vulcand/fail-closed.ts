/**
 * vulcand's routes that cannot be honoured, closed. vulcand keeps what it had of an object that becomes malformed, and so it
 * is here: only what was never good is closed. A middleware of a kind that is not known here may be a lock.
 */
import { CLOSED_RESPONSE, type FailClosed } from '../../fail-closed.ts'
import type { JsonMap } from '../../registry/json-value.ts'
import type { ObjectKind } from '../../../model/names.ts'
import { TranslationError } from '../translation.ts'
import { readStruct } from './go-json.ts'

/** They tell of requests, or change them: neither says who may come in. */
const HARMLESS = ['rewrite', 'trace']

/** `map`: null where the text is none. Null: nothing of it is closed. */
export function closedFormOf(kind: ObjectKind, map: JsonMap | null): FailClosed | null {
  if (kind === 'middleware') return HARMLESS.includes(readText(map, 'Type')) ? null : lock
  const route = kind === 'frontend' ? readText(map, 'Route') : ''
  return route === '' ? null : closing({ route, respond: CLOSED_RESPONSE })
}

const lock = closing({ kind: 'respond', ...CLOSED_RESPONSE })

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
