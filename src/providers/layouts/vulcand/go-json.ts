/**
 * Reads JSON like Go's encoding/json into a struct, as vulcand does: names in any case, unknown members ignored, missing
 * members and `null` are zero values, a wrong type is an error.
 */
import { quote, isMap, type JsonMap } from '../../../model/parsed.ts'
import { TranslationError } from '../translation.ts'

export interface GoStruct {
  /** '' if it is missing. */
  text(name: string): string
  /** false if it is missing. */
  flag(name: string): boolean
  /** 0 if it is missing. 64-bit, so values above 2^53 are rounded. */
  whole(name: string): number
  texts(name: string): readonly string[]
  /** An empty struct if it is missing. */
  struct(name: string): GoStruct
  /** undefined if it is missing or null. */
  raw(name: string): unknown
  /** The path of a member: `Settings.Timeouts.Read`. */
  place(name: string): string
}

export function readStruct(map: JsonMap, outer = ''): GoStruct {
  const members = new Map<string, readonly [string, unknown]>()
  for (const [name, value] of Object.entries(map)) {
    const folded = name.toLowerCase()
    const twin = members.get(folded)
    // Go uses the later one, other readers the earlier one, so it is a fault.
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
