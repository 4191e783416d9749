/** The functions that every template of Go has; `and` and `or` are evaluated by evaluate.ts, which stops at the first that decides. */
import { declare, type TemplateFunction } from './function.ts'
import { print, printFormat, printLine } from './format.ts'
import { isPrintable } from './quote.ts'
import {
  compareBytes,
  Dict,
  isTrue,
  List,
  Struct,
  TemplateError,
  typeOf,
  zeroOf,
  type Value,
} from './value.ts'

type Basic = 'bool' | 'float' | 'int' | 'string'

const decided = declare(['any'], (first) => first, 'any')

export const BUILTINS: ReadonlyMap<string, TemplateFunction> = new Map(
  Object.entries({
    and: decided,
    or: decided,
    not: declare(['any'], (value) => !isTrue(value)),
    len: declare(['any'], lengthOf),
    index: declare(['any'], (item, ...indexes) => indexes.reduce(indexOne, item), 'any'),
    slice: declare(['any'], (item, ...bounds) => sliceOf(item, bounds), 'any'),
    print: declare([], (...values) => print(values), 'any'),
    printf: declare(
      ['string'],
      (format, ...values) => printFormat(format as string, values),
      'any',
    ),
    println: declare([], (...values) => printLine(values), 'any'),
    html: declare([], (...values) => escapeHtml(joined(values)), 'any'),
    js: declare([], (...values) => escapeScript(joined(values)), 'any'),
    urlquery: declare([], (...values) => escapeQuery(joined(values)), 'any'),
    call: declare(
      ['any'],
      () => {
        throw new TemplateError('no value here is a function')
      },
      'any',
    ),
    eq: declare(['any'], equalsAny, 'any'),
    ne: declare(['any', 'any'], (one, other) => !equalsAny(one, other)),
    lt: declare(['any', 'any'], isLess),
    le: declare(['any', 'any'], (one, other) => isLess(one, other) || equalsAny(one, other)),
    gt: declare(['any', 'any'], (one, other) => !isLess(one, other) && !equalsAny(one, other)),
    ge: declare(['any', 'any'], (one, other) => !isLess(one, other)),
  }),
)

function lengthOf(value: Value): Value {
  if (typeof value === 'string') return BigInt(Buffer.byteLength(value))
  if (value instanceof List) return BigInt(value.items.length)
  if (value instanceof Dict) return BigInt(value.entries.size)
  throw new TemplateError(`there is no length of ${nameOf(value)}`)
}

function indexOne(item: Value, index: Value): Value {
  if (item instanceof Dict) {
    if (typeof index !== 'string')
      throw new TemplateError(`a map is indexed by a string, not by ${nameOf(index)}`)
    const found = item.entries.get(index)
    return found === undefined ? zeroOf(item.element) : found
  }
  if (typeof item === 'string') {
    const bytes = Buffer.from(item)
    return BigInt(bytes[positionOf(index, bytes.length - 1)] ?? 0)
  }
  if (item instanceof List) return item.items[positionOf(index, item.items.length - 1)]
  throw new TemplateError(`${nameOf(item)} cannot be indexed`)
}

function sliceOf(item: Value, bounds: readonly Value[]): Value {
  if (bounds.length > 3) throw new TemplateError(`slice takes 3 bounds, not ${bounds.length}`)
  const isText = typeof item === 'string'
  if (!isText && !(item instanceof List)) {
    throw new TemplateError(`${nameOf(item)} cannot be sliced`)
  }
  if (isText && bounds.length === 3) throw new TemplateError('a string is sliced by two bounds')
  const bytes = isText ? Buffer.from(item) : null
  const length = bytes === null ? (item as List).items.length : bytes.length
  const [from = 0, to = length, most = length] = bounds.map((bound) => positionOf(bound, length))
  if (from > to || to > most) throw new TemplateError('the bounds of a slice are out of order')
  if (bytes === null) {
    const { element, items } = item as List
    return new List(element, items.slice(from, to))
  }
  const part = bytes.subarray(from, to)
  const text = part.toString()
  if (!Buffer.from(text).equals(part)) {
    throw new TemplateError('the bounds of a slice cut a character in two: they count bytes')
  }
  return text
}

function positionOf(index: Value, most: number): number {
  if (typeof index !== 'bigint') throw new TemplateError(`an index is an int, not ${nameOf(index)}`)
  if (index < 0n || index > most) throw new TemplateError(`index out of range: ${index}`)
  return Number(index)
}

/** Whether the first is one of the others. */
function equalsAny(one: Value, ...others: readonly Value[]): boolean {
  if (others.length === 0) throw new TemplateError('missing argument for comparison')
  return others.some((other) => equals(one, other))
}

function equals(one: Value, other: Value): boolean {
  const [kind, otherKind] = [basicOf(one), basicOf(other)]
  if (kind !== otherKind) {
    if (isNothing(one) || isNothing(other)) return false
    throw new TemplateError(`incompatible types for comparison: ${nameOf(one)}, ${nameOf(other)}`)
  }
  if (kind !== null) return one === other
  if (isNothing(one) || isNothing(other)) return isNothing(one) && isNothing(other)
  refuseUncomparable(one)
  refuseUncomparable(other)
  return isSame(one, other)
}

function isSame(one: Value, other: Value): boolean {
  if (!(one instanceof Struct) || !(other instanceof Struct)) return one === other
  const fields = [...one.fields]
  return (
    one.name === other.name &&
    fields.every(([name, value]) => isSame(value, other.fields.get(name)))
  )
}

function refuseUncomparable(value: Value): void {
  if (value instanceof List || value instanceof Dict)
    throw new TemplateError(`values of type ${typeOf(value)} cannot be compared`)
}

function isLess(one: Value, other: Value): boolean {
  const kind = basicOf(one)
  if (kind === null || basicOf(other) === null)
    throw new TemplateError(`invalid type for comparison: ${nameOf(one)}, ${nameOf(other)}`)
  if (kind !== basicOf(other))
    throw new TemplateError(`incompatible types for comparison: ${nameOf(one)}, ${nameOf(other)}`)
  if (kind === 'bool') throw new TemplateError('bool has no order')
  if (kind === 'string') return compareBytes(one as string, other as string) < 0
  return (one as number | bigint) < (other as number | bigint)
}

function basicOf(value: Value): Basic | null {
  switch (typeof value) {
    case 'boolean':
      return 'bool'
    case 'number':
      return 'float'
    case 'bigint':
      return 'int'
    case 'string':
      return 'string'
    default:
      return null
  }
}

function isNothing(value: Value): value is null | undefined {
  return value === null || value === undefined
}

function nameOf(value: Value): string {
  return isNothing(value) ? 'nil' : typeOf(value)
}

/** What html, js and urlquery escape. */
function joined(values: readonly Value[]): string {
  return print(values.map((value) => (isNothing(value) ? '<no value>' : value)))
}

const HTML: Readonly<Record<string, string>> = {
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '\0': '\ufffd',
}

function escapeHtml(text: string): string {
  return text.replace(/["'&<>\0]/g, (character) => HTML[character] ?? character)
}

function escapeScript(text: string): string {
  let escaped = ''
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0
    if (`\\'"`.includes(character)) escaped += `\\${character}`
    else if (
      '<>&='.includes(character) ||
      point < 0x20 ||
      (point > 0x7f && !isPrintable(character))
    )
      escaped += `\\u${point.toString(16).toUpperCase().padStart(4, '0')}`
    else escaped += character
  }
  return escaped
}

function escapeQuery(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => {
      const character = String.fromCharCode(byte)
      if (/[\w.~-]/.test(character)) return character
      return byte === 0x20 ? '+' : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
    })
    .join('')
}
