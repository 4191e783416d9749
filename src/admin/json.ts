/**
 * JSON that is safe for a terminal: texts of a registry must not move its cursor or change its text direction. Times, which
 * are ms since the epoch in the program, are ISO 8601 in UTC with milliseconds in every response of the API.
 */
export type Replacer = (this: unknown, name: string, value: unknown) => unknown

export function toJson(value: unknown, replacer: Replacer = (_name, inner) => inner): string {
  return escapeUnshown(
    JSON.stringify(value, function (this: unknown, name, inner: unknown) {
      return withTime(name, replacer.call(this, name, inner))
    }),
  )
}

/** JSON text that is safe for a terminal. */
export function escapeUnshown(json: string): string {
  return UNSHOWN.test(json) ? json.replace(EACH_UNSHOWN, escape) : json
}

const TIME_NAME = /^(?:since|until|at|.+At)$/
/** In 1973: larger than any count or port. */
const EARLIEST = 1e11

function withTime(name: string, value: unknown): unknown {
  return typeof value === 'number' && value > EARLIEST && TIME_NAME.test(name)
    ? new Date(value).toISOString()
    : value
}

/** Controls that JSON does not escape, and characters that change the text direction. */
const UNSHOWN = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/
const EACH_UNSHOWN = new RegExp(UNSHOWN, 'g')

function escape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
