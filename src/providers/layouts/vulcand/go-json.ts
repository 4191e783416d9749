/**
 * JSON as Go's encoding/json fills a struct from it, which is how vulcand reads: names in any case, unknown members
 * ignored, missing ones and `null` zero, a wrong type an error.
 */
import { quote } from '../../../model/parsed.ts'
import { isMap, type JsonMap } from '../../registry/json-value.ts'
import { TranslationError } from '../translation.ts'

export interface GoStruct {
  /** '' when it is not there. */
  text(name: string): string
  /** false when it is not there. */
  flag(name: string): boolean
  /** 0 when it is not there. Of 64 bits, so that those above 2^53 are rounded. */
  whole(name: string): number
  texts(name: string): readonly string[]
  /** A struct of nothing when it is not there. */
  struct(name: string): GoStruct
  /** undefined when it is not there, or null. */
  raw(name: string): unknown
  /** The member's place, from the value down: `Settings.Timeouts.Read`. */
  place(name: string): string
}

export function readStruct(map: JsonMap, outer = ''): GoStruct {
  const members = new Map<string, readonly [string, unknown]>()
  for (const [name, value] of Object.entries(map)) {
    const folded = name.toLowerCase()
    const twin = members.get(folded)
    // Go takes the later one, other readers the earlier one: nobody can have meant that.
    if (twin !== undefined) {
      throw new TranslationError(
        `${quote(twin[0])} and ${quote(name)} are the same member to vulcand`,
      )
    }
    members.set(folded, [name, value])
  }

  function raw(name: string): unknown {
    return members.get(name.toLowerCase())?.[1] ?? undefined
  }

  function place(name: string): string {
    return outer === '' ? name : `${outer}.${name}`
  }

  function read<T>(name: string, is: (value: unknown) => value is T, what: string, zero: T): T {
    const value = raw(name)
    if (value === undefined) return zero
    if (is(value)) return value
    throw new TranslationError(`${place(name)}: must be ${what}, not ${quote(value)}`)
  }

  return {
    text: (name) => read(name, isText, 'text', ''),
    flag: (name) => read(name, isFlag, 'true or false', false),
    whole(name) {
      const found = read(name, isWhole, 'a whole number', 0)
      if (Math.abs(found) < 2 ** 63) return found
      throw new TranslationError(`${place(name)}: is larger than 64 bits can hold: ${quote(found)}`)
    },
    texts: (name) => read(name, isTexts, 'a list of texts', []),
    struct: (name) => readStruct(read(name, isMap, 'a map', {}), place(name)),
    raw,
    place,
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isFlag(value: unknown): value is boolean {
  return typeof value === 'boolean'
}

function isWhole(value: unknown): value is number {
  return Number.isInteger(value)
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText)
}
