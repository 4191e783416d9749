/**
 * The values of a template, as Go has them: an integer is not a float, a list knows what it lists, and nothing has two forms. `null` is
 * an interface that holds nothing, as the null of JSON within a list or map; `undefined` is no value at all, as a key that a map
 * does not have.
 */

export type Value =
  undefined | null | boolean | Integer | Float | string | List | Dict | Struct | Moment

/** Go's int, 64 bits. */
export type Integer = bigint
/** Go's float64. */
export type Float = number

/** What a list or a map holds: values of one type, or of any. */
export type Element = 'interface {}' | 'string' | 'int' | (string & {})

export class List {
  readonly element: Element
  readonly items: readonly Value[]

  constructor(element: Element, items: readonly Value[]) {
    this.element = element
    this.items = items
  }
}

/** Go's map with keys that are strings. */
export class Dict {
  readonly element: Element
  readonly entries: ReadonlyMap<string, Value>

  constructor(element: Element, entries: ReadonlyMap<string, Value>) {
    this.element = element
    this.entries = entries
  }
}

export class Struct {
  readonly name: string
  readonly fields: ReadonlyMap<string, Value>

  constructor(name: string, fields: ReadonlyMap<string, Value>) {
    this.name = name
    this.fields = fields
  }
}

/** Go's time.Time, as far as templates use it. */
export class Moment {
  readonly epochMs: number

  constructor(epochMs: number) {
    this.epochMs = epochMs
  }
}

/** A template or a call of it fails: what could not be done and why. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError'
}

/** Go's values of parsed JSON: numbers are floats, maps and lists hold anything. */
export function fromJson(json: unknown): Value {
  switch (typeof json) {
    case 'string':
    case 'boolean':
    case 'number':
      return json
    case 'object':
      if (json === null) return null
      if (Array.isArray(json)) return new List('interface {}', json.map(fromJson))
      return new Dict(
        'interface {}',
        new Map(Object.entries(json).map(([key, value]) => [key, fromJson(value)])),
      )
    default:
      throw new TypeError(`JSON has no ${typeof json}`)
  }
}

export function typeOf(value: Exclude<Value, undefined>): string {
  if (value === null) return 'interface {}'
  switch (typeof value) {
    case 'string':
      return 'string'
    case 'boolean':
      return 'bool'
    case 'bigint':
      return 'int'
    case 'number':
      return 'float64'
    default:
      if (value instanceof List) return `[]${value.element}`
      if (value instanceof Dict) return `map[string]${value.element}`
      return value instanceof Struct ? value.name : 'time.Time'
  }
}

/** Whether `if` takes it as true. */
export function isTrue(value: Value): boolean {
  if (value === undefined || value === null) return false
  switch (typeof value) {
    case 'string':
      return value !== ''
    case 'boolean':
      return value
    case 'bigint':
      return value !== 0n
    case 'number':
      return value !== 0
    default:
      if (value instanceof List) return value.items.length > 0
      return value instanceof Dict ? value.entries.size > 0 : true
  }
}

/** Of a map, in the order in which Go prints and ranges over it: by the bytes of the keys. */
export function sortedEntries(map: Dict): readonly (readonly [string, Value])[] {
  return [...map.entries].sort(([one], [other]) => compareBytes(one, other))
}

/** UTF-16 orders characters beyond U+FFFF before some others, bytes of UTF-8 do not. */
export function compareBytes(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other))
}

/** What an index gives that a map does not have. */
export function zeroOf(element: Element): Value {
  switch (element) {
    case 'string':
      return ''
    case 'int':
      return 0n
    case 'bool':
      return false
    case 'float64':
      return 0
    default:
      return null
  }
}
