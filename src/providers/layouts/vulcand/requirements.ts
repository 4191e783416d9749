/** vulcand's requirements for members of its objects. */
import { quote } from '../../../model/parsed.ts'
import { TranslationError } from '../translation.ts'
import type { GoStruct } from './go-json.ts'

/** As in vulcand. */
export function requireHttp(struct: GoStruct): void {
  oneOf(struct, 'Type', struct.text('Type'), ['http'])
}

export function required(struct: GoStruct, name: string): string {
  const text = struct.text(name)
  if (text === '') throw new TranslationError(`${struct.place(name)} is missing`)
  return text
}

export function oneOf(
  struct: GoStruct,
  name: string,
  text: string,
  known: readonly string[],
): string {
  if (known.includes(text)) return text
  if (text === '') throw new TranslationError(`${struct.place(name)} is missing`)
  throw new TranslationError(
    `${struct.place(name)}: must be ${known.filter((one) => one !== '').join(' or ')}, not ${quote(text)}`,
  )
}

/** 0 if it is missing. */
export function notNegative(struct: GoStruct, name: string): number {
  const found = struct.whole(name)
  if (found >= 0) return found
  throw new TranslationError(`${struct.place(name)}: must not be negative`)
}

export function aboveZero(struct: GoStruct, name: string, why: string): number {
  const found = struct.whole(name)
  if (found > 0) return found
  throw new TranslationError(`${struct.place(name)}: must be more than 0${why}`)
}
