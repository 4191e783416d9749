/** Go's fmt: what a value looks like in a text, and the verbs of printf with their flags, width and precision. */
import { formatFloat, type FloatForm } from './float.ts'
import { formatMoment } from './moment.ts'
import { canBackquote, isPrintable, quote, quoteCharacter } from './quote.ts'
import { Dict, List, sortedEntries, TemplateError, typeOf, type Value } from './value.ts'

/** Go refuses larger widths and precisions. */
const MAX_SIZE = 1_000_000

interface Flags {
  sharp: boolean
  zero: boolean
  plus: boolean
  minus: boolean
  space: boolean
  /** `%+v` and `%#v`. */
  plusV: boolean
  sharpV: boolean
  width: number | null
  precision: number | null
}

/** Of `{{value}}`, and of `%v`. */
export function toText(value: Value): string {
  return formatValue(value, 'v', noFlags(), false)
}

/** fmt.Sprint: a space between two values of which neither is a string. */
export function print(values: readonly Value[]): string {
  let text = ''
  values.forEach((value, at) => {
    const before = values[at - 1]
    if (at > 0 && typeof value !== 'string' && typeof before !== 'string') text += ' '
    text += toText(value)
  })
  return text
}

export function printLine(values: readonly Value[]): string {
  return `${values.map(toText).join(' ')}\n`
}

/** fmt.Sprintf; a wrong format gives Go's notes in the text (`%!d(string=x)`), not an error. */
export function printFormat(format: string, values: readonly Value[]): string {
  let text = ''
  let next = 0
  let isReordered = false
  let isGoodIndex = true
  let at = 0

  /** `[2]`: which value is meant. */
  function readIndex(): boolean {
    if (format.charAt(at) !== '[') return false
    isReordered = true
    const close = format.indexOf(']', at)
    const inner = close === -1 ? '' : format.slice(at + 1, close)
    const index = /^\d+$/.test(inner) && Number(inner) <= MAX_SIZE ? Number(inner) : null
    at = close === -1 ? at + 1 : close + 1
    if (index !== null && index >= 1 && index <= values.length) {
      next = index - 1
      return true
    }
    isGoodIndex = false
    return index !== null
  }

  /** Digits, or `*` for the next value; null if there is neither. */
  function readSize(bad: string): { size: number | null; isGiven: boolean } {
    if (format.charAt(at) === '*') {
      at++
      const value = values[next]
      const isInt = typeof value === 'bigint' && value <= MAX_SIZE && value >= -MAX_SIZE
      if (next < values.length) next++
      if (!isInt) text += bad
      return { size: isInt ? Number(value) : null, isGiven: true }
    }
    const digits = /^\d*/.exec(format.slice(at, at + 16))?.[0] ?? ''
    at += digits.length
    return { size: digits === '' ? null : Number(digits), isGiven: false }
  }

  while (at < format.length) {
    const sign = format.indexOf('%', at)
    text += format.slice(at, sign === -1 ? undefined : sign)
    if (sign === -1) break
    at = sign + 1
    isGoodIndex = true
    const flags = noFlags()
    for (; '#0+- '.includes(format.charAt(at) || 'x'); at++) setFlag(flags, format.charAt(at))
    let isIndexed = readIndex()
    const width = readSize('%!(BADWIDTH)')
    if (width.isGiven) isIndexed = false
    else if (width.size !== null && isIndexed) isGoodIndex = false
    flags.width = width.size
    if (flags.width !== null && flags.width < 0) {
      flags.width = -flags.width
      setFlag(flags, '-')
    }
    if (format.charAt(at) === '.') {
      at++
      if (isIndexed) isGoodIndex = false
      isIndexed = readIndex()
      const precision = readSize('%!(BADPREC)')
      if (precision.isGiven) isIndexed = false
      const isNegative = precision.size !== null && precision.size < 0
      if (isNegative && precision.isGiven) text += '%!(BADPREC)'
      flags.precision = isNegative ? null : (precision.size ?? (precision.isGiven ? null : 0))
    }
    if ((flags.width ?? 0) > MAX_SIZE || (flags.precision ?? 0) > MAX_SIZE)
      throw new TemplateError(`printf takes no width or precision above ${MAX_SIZE}`)
    if (!isIndexed) readIndex()
    const point = format.codePointAt(at)
    if (point === undefined) {
      text += '%!(NOVERB)'
      break
    }
    const verb = String.fromCodePoint(point)
    at += verb.length
    if (verb === '%') text += '%'
    else if (!isGoodIndex) text += `%!${verb}(BADINDEX)`
    else if (next >= values.length) text += `%!${verb}(MISSING)`
    else if (verb === 'w') text += badVerb(values[next++], verb, flags)
    else {
      if (verb === 'v') {
        flags.sharpV = flags.sharp
        flags.sharp = false
        flags.plusV = flags.plus
        flags.plus = false
      }
      text += formatValue(values[next++], verb, flags, false)
    }
  }
  if (isReordered || next >= values.length) return text
  const extra = values.slice(next).map((value) => {
    const name = value === undefined || value === null ? '' : `${typeOf(value)}=`
    return name + toText(value)
  })
  return `${text}%!(EXTRA ${extra.join(', ')})`
}

function noFlags(): Flags {
  return {
    ...{ sharp: false, zero: false, plus: false, minus: false, space: false },
    ...{ plusV: false, sharpV: false, width: null, precision: null },
  }
}

function setFlag(flags: Flags, flag: string): void {
  if (flag === '#') flags.sharp = true
  else if (flag === '+') flags.plus = true
  else if (flag === ' ') flags.space = true
  else if (flag === '0') flags.zero = !flags.minus
  else {
    flags.minus = true
    // Never zeros on the right.
    flags.zero = false
  }
}

/** `isInside`: of a list, map or struct. */
function formatValue(value: Value, verb: string, flags: Flags, isInside: boolean): string {
  if (value === undefined || value === null) {
    if (isInside) return flags.sharpV ? 'interface {}(nil)' : '<nil>'
    return verb === 'v' || verb === 'T' ? pad('<nil>', flags) : badVerb(value, verb, flags)
  }
  if (verb === 'T' && !isInside) return formatString(typeOf(value), 's', flags) ?? ''
  switch (typeof value) {
    case 'boolean':
      return verb === 'v' || verb === 't' ? pad(String(value), flags) : badVerb(value, verb, flags)
    case 'bigint':
      return formatInteger(value, verb, flags) ?? badVerb(value, verb, flags)
    case 'number':
      return formatNumber(value, verb, flags) ?? badVerb(value, verb, flags)
    case 'string':
      return formatString(value, verb, flags) ?? badVerb(value, verb, flags)
    default:
      break
  }
  const inner = (item: Value): string => formatValue(item, verb, flags, true)
  const { sharpV } = flags
  if (verb === 'p') return badVerb(value, verb, flags)
  if (value instanceof List) {
    const items = value.items.map(inner)
    return sharpV ? `${typeOf(value)}{${items.join(', ')}}` : `[${items.join(' ')}]`
  }
  if (value instanceof Dict) {
    const entries = sortedEntries(value).map(([key, item]) => `${inner(key)}:${inner(item)}`)
    return sharpV ? `${typeOf(value)}{${entries.join(', ')}}` : `map[${entries.join(' ')}]`
  }
  if ('fields' in value) {
    const isNamed = sharpV || flags.plusV
    const fields = [...value.fields].map(([name, field]) =>
      isNamed ? `${name}:${inner(field)}` : inner(field),
    )
    return sharpV ? `${value.name}{${fields.join(', ')}}` : `{${fields.join(' ')}}`
  }
  return formatString(formatMoment(value, null), verb, flags) ?? badVerb(value, verb, flags)
}

function badVerb(value: Value, verb: string, flags: Flags): string {
  if (value === undefined || value === null) return `%!${verb}(<nil>)`
  return `%!${verb}(${typeOf(value)}=${formatValue(value, 'v', flags, false)})`
}

function formatString(text: string, verb: string, flags: Flags): string | null {
  switch (verb) {
    case 'v':
      return flags.sharpV ? quoted(text, flags) : pad(cut(text, flags), flags)
    case 's':
      return pad(cut(text, flags), flags)
    case 'q':
      return quoted(text, flags)
    case 'x':
    case 'X':
      return pad(toHex(Buffer.from(text), verb === 'X', flags), flags)
    default:
      return null
  }
}

function quoted(text: string, flags: Flags): string {
  const short = cut(text, flags)
  const isRaw = flags.sharp && canBackquote(short)
  return pad(isRaw ? `\`${short}\`` : quote(short, flags.plus), flags)
}

function cut(text: string, { precision }: Flags): string {
  return precision === null ? text : [...text].slice(0, precision).join('')
}

function toHex(bytes: Buffer, isUpper: boolean, flags: Flags): string {
  const pairs = [...bytes.subarray(0, flags.precision ?? undefined)].map((byte) =>
    byte.toString(16).padStart(2, '0'),
  )
  const prefix = flags.sharp && pairs.length > 0 ? '0x' : ''
  const text = flags.space ? pairs.map((pair) => prefix + pair).join(' ') : prefix + pairs.join('')
  return isUpper ? text.toUpperCase() : text
}

function formatInteger(value: bigint, verb: string, flags: Flags): string | null {
  const base = { v: 10, d: 10, b: 2, o: 8, O: 8, x: 16, X: 16 }[verb]
  if (base !== undefined) return digitsOf(value, base, verb, flags)
  const point = value >= 0n && value <= 0x10ffffn ? Number(value) : 0xfffd
  const character = String.fromCodePoint(point >= 0xd800 && point <= 0xdfff ? 0xfffd : point)
  if (verb === 'c') return pad(character, flags)
  if (verb === 'q') return pad(quoteCharacter(character, flags.plus), flags)
  if (verb !== 'U') return null
  const hex = BigInt.asUintN(64, value).toString(16).toUpperCase()
  const isShown = flags.sharp && value >= 0n && value <= 0x10ffffn && isPrintable(character)
  const code = `U+${hex.padStart(Math.max(4, flags.precision ?? 0), '0')}`
  return pad(isShown ? `${code} '${character}'` : code, { ...flags, zero: false })
}

function digitsOf(value: bigint, base: number, verb: string, flags: Flags): string {
  const isNegative = value < 0n
  const spaced = { ...flags, zero: false }
  if (flags.precision === 0 && value === 0n) return pad('', spaced)
  let least = flags.precision ?? 0
  if (flags.precision === null && flags.zero && flags.width !== null) {
    least = flags.width - (isNegative || flags.plus || flags.space ? 1 : 0)
  }
  let digits = (isNegative ? -value : value).toString(base).padStart(least, '0')
  if (flags.sharp && base === 2) digits = `0b${digits}`
  if (flags.sharp && base === 8 && !digits.startsWith('0')) digits = `0${digits}`
  if (flags.sharp && base === 16) digits = `0x${digits}`
  if (verb === 'O') digits = `0o${digits}`
  if (verb === 'X') digits = digits.toUpperCase()
  const sign = isNegative ? '-' : flags.plus ? '+' : flags.space ? ' ' : ''
  return pad(sign + digits, spaced)
}

const FLOATS: Readonly<Record<string, FloatForm>> = {
  ...{ v: 'g', g: 'g', G: 'G', e: 'e', E: 'E', f: 'f', F: 'f', b: 'b', x: 'x', X: 'X' },
}

function formatNumber(value: number, verb: string, flags: Flags): string | null {
  const form = FLOATS[verb]
  if (form === undefined) return null
  const ownDigits = form === 'e' || form === 'E' || form === 'f' ? 6 : null
  let text = formatFloat(value, form, flags.precision ?? ownDigits)
  if (!/^[+-]/.test(text)) text = `+${text}`
  if (flags.space && !flags.plus && text.startsWith('+')) text = ` ${text.slice(1)}`
  if (/^.[IN]/.test(text)) {
    const isPlain = text.slice(1) === 'NaN' && !flags.space && !flags.plus
    const shown = isPlain || (text.startsWith('+I') && !flags.plus) ? text.slice(1) : text
    return pad(shown, { ...flags, zero: false })
  }
  if (flags.sharp && form !== 'b') {
    // Go forgets X here.
    const hasZeros = ownDigits === null && form !== 'X'
    text = withPoint(text, hasZeros ? (flags.precision ?? 6) : 0)
  }
  if (!flags.plus && text.startsWith('+')) return pad(text.slice(1), flags)
  if (flags.zero && flags.width !== null && flags.width > text.length)
    return text.charAt(0) + text.slice(1).padStart(flags.width - 1, '0')
  return pad(text, flags)
}

/** `#`: always a point, and of %g and %x zeros to all digits; Go counts the x of 0x as one of them. */
function withPoint(text: string, digits: number): string {
  const isHex = /^.0x/i.test(text)
  const power = text.search(isHex ? /p/i : /e/i)
  const mantissa = power === -1 ? text : text.slice(0, power)
  const significant = mantissa.slice(1).replace('.', '').replace(/^0+/, '').length
  let missing = digits - significant
  let shown = mantissa
  if (!mantissa.includes('.')) {
    if (/^.0$/.test(mantissa)) missing--
    shown += '.'
  }
  return shown + '0'.repeat(Math.max(0, missing)) + text.slice(mantissa.length)
}

/** To the width, which counts characters. */
function pad(text: string, { width, minus, zero }: Flags): string {
  const missing = width === null ? 0 : width - [...text].length
  if (missing <= 0) return text
  if (minus) return text + ' '.repeat(missing)
  return (zero ? '0' : ' ').repeat(missing) + text
}
