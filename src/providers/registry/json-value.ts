/** Parses a registry's text as JSON, with limits; faults are returned, not thrown. */
import { MAX_VALUE_SIZE } from './text-limit.ts'
import { JsonFault, parseJson } from '../../document/json-walk.ts'
import { createLines } from '../../document/lines.ts'
import {
  type JsonMap,
  type Scalar,
  bad,
  escapeControls,
  good,
  isMap,
  quote,
} from '../../model/parsed.ts'

export function readJsonText(text: string): Scalar<unknown> {
  if (text.length > MAX_VALUE_SIZE) {
    return bad(`has ${text.length} characters, at most ${MAX_VALUE_SIZE} are taken`)
  }
  if (text.trim() === '') return bad('is empty; it must be JSON')
  try {
    return good(parseJson(text, createVisit()))
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error
    return bad(notJson(text, error.message, error.offset))
  }
}

/** As above, for a value that must be a map. */
export function readJsonMap(text: string): Scalar<JsonMap> {
  const read = readJsonText(text)
  if (!read.ok) return read
  return isMap(read.value) ? good(read.value) : bad(`must be a map, not ${quote(read.value)}`)
}

/** Finds duplicate keys down to depth 1; below, the walk itself does. */
function createVisit(): (depth: number, step: string | number, offset: number) => boolean {
  const outer = new Set<string>()
  let inner = new Set<string>()
  return (depth, step, offset) => {
    if (step === '__proto__') throw new JsonFault('the key "__proto__" is reserved', offset)
    if (typeof step === 'number' || depth > 1) return false
    if (depth === 0) inner = new Set()
    const seen = depth === 0 ? outer : inner
    if (seen.has(step)) return true
    seen.add(step)
    return false
  }
}

function notJson(text: string, what: string, offset: number): string {
  const { line, column } = createLines(text)(offset)
  return `cannot be read as JSON: ${shorten(what)} (line ${line}, column ${column})`
}

/** The fault may name a key that is as long as the text. */
function shorten(what: string): string {
  return escapeControls(what.length > 160 ? `${what.slice(0, 160)}...` : what)
}
