/** The functions that confd gives its templates, apart from those that read keys and those that ask a resolver. */
import { existsSync } from 'node:fs'
import { posix } from 'node:path'
import { declare, type Functions } from './function.ts'
import { Dict, fromJson, List, Moment, Struct, TemplateError, type Value } from './value.ts'

/** The longest list that `seq` makes. */
const MAX_SEQUENCE = 100_000
const MAX_INT = 2n ** 63n - 1n

export interface World {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly now: () => number
}

export function confdFunctions({ environment, now }: World): Functions {
  return new Map(
    Object.entries({
      add: declare(['int', 'int'], (one, other) => wrap(int(one) + int(other))),
      sub: declare(['int', 'int'], (one, other) => wrap(int(one) - int(other))),
      mul: declare(['int', 'int'], (one, other) => wrap(int(one) * int(other))),
      div: declare(['int', 'int'], (one, other) => wrap(int(one) / divisor(other))),
      mod: declare(['int', 'int'], (one, other) => int(one) % divisor(other)),
      seq: declare(['int', 'int'], sequence),
      atoi: declare(['string'], parseInteger),
      base: declare(['string'], (path) => base(text(path))),
      dir: declare(['string'], (path) => directory(text(path))),
      split: declare(['string', 'string'], (whole, by) => strings(split(text(whole), text(by)))),
      join: declare(['[]string', 'string'], (list, by) => texts(list).join(text(by))),
      replace: declare(['string', 'string', 'string', 'int'], replace),
      toUpper: declare(['string'], (value) => mapCase(text(value), 'toUpperCase')),
      toLower: declare(['string'], (value) => mapCase(text(value), 'toLowerCase')),
      contains: declare(['string', 'string'], (whole, part) => text(whole).includes(text(part))),
      trimSuffix: declare(['string', 'string'], trimSuffix),
      base64Encode: declare(['string'], (value) => Buffer.from(text(value)).toString('base64')),
      base64Decode: declare(['string'], decodeBase64),
      parseBool: declare(['string'], parseBool),
      json: declare(['string'], (value) => parseJson(value, Dict, 'an object')),
      jsonArray: declare(['string'], (value) => parseJson(value, List, 'an array')),
      map: declare([], createMap, 'any'),
      reverse: declare(['any'], reverse),
      sortByLength: declare(['[]string'], sortByLength),
      sortKVByLength: declare(['[]memkv.KVPair'], sortKeysByLength),
      fileExists: declare(['string'], (path) => existsSync(text(path))),
      getenv: declare(
        ['string'],
        (name, otherwise = '') => variable(environment[text(name)], text(name)) || text(otherwise),
        'string',
      ),
      datetime: declare([], () => new Moment(now())),
    }),
  )
}

// Errors do not show values: they may be secrets, and are logged.

/** The evaluation has checked the types of arguments against the parameters. */
function int(value: Value): bigint {
  return value as bigint
}

function text(value: Value): string {
  return value as string
}

function texts(value: Value): readonly string[] {
  return (value as List).items as readonly string[]
}

export function strings(items: readonly string[]): List {
  return new List('string', items)
}

/** Go's int has 64 bits and no error beyond them. */
function wrap(value: bigint): bigint {
  return BigInt.asIntN(64, value)
}

function divisor(value: Value): bigint {
  if (int(value) === 0n) throw new TemplateError('division by zero')
  return int(value)
}

function sequence(first: Value, last: Value): List {
  const count = int(last) - int(first) + 1n
  if (count > MAX_SEQUENCE)
    throw new TemplateError(`seq makes no list of more than ${MAX_SEQUENCE}: it would be ${count}`)
  const length = Math.max(0, Number(count))
  return new List(
    'int',
    Array.from({ length }, (_, at) => int(first) + BigInt(at)),
  )
}

function variable(value: string | undefined, name: string): string {
  // Node reads bytes that are not UTF-8 as this character.
  if (value?.includes('\ufffd') === true)
    throw new TemplateError(`the variable ${name} is not UTF-8 text`)
  return value ?? ''
}

function parseInteger(value: Value): bigint {
  const digits = text(value)
  const parsed = /^[+-]?\d+$/.test(digits) ? BigInt(digits.replace(/^\+/, '')) : null
  if (parsed === null || parsed > MAX_INT || parsed < -MAX_INT - 1n)
    throw new TemplateError('the text is no integer of 64 bits')
  return parsed
}

/** path.Base. */
export function base(path: string): string {
  if (path === '') return '.'
  const stripped = path.replace(/\/+$/, '')
  return stripped === '' ? '/' : stripped.slice(stripped.lastIndexOf('/') + 1)
}

/** path.Dir. */
export function directory(path: string): string {
  const cleaned = posix.normalize(path.slice(0, path.lastIndexOf('/') + 1) || '.')
  return cleaned.length > 1 ? cleaned.replace(/\/$/, '') : cleaned
}

/** Go maps a character to one character: ß stays. */
function mapCase(whole: string, to: 'toUpperCase' | 'toLowerCase'): string {
  return [...whole]
    .map((character) => {
      const mapped = character[to]()
      return [...mapped].length === 1 ? mapped : character
    })
    .join('')
}

function split(whole: string, by: string): readonly string[] {
  return by === '' ? [...whole] : whole.split(by)
}

function replace(whole: Value, from: Value, to: Value, most: Value): string {
  const limit = int(most) < 0n ? Infinity : Number(int(most))
  if (limit === 0) return text(whole)
  if (text(from) === '') return replaceNothing(text(whole), text(to), limit)
  const pieces = text(whole).split(text(from))
  if (pieces.length - 1 <= limit) return pieces.join(text(to))
  const rest = pieces.slice(limit).join(text(from))
  return [...pieces.slice(0, limit), rest].join(text(to))
}

/** An empty text is found before every character and at the end. */
function replaceNothing(whole: string, to: string, limit: number): string {
  const characters = [...whole]
  let replaced = ''
  characters.forEach((character, at) => (replaced += (at < limit ? to : '') + character))
  return characters.length < limit ? replaced + to : replaced
}

function trimSuffix(whole: Value, suffix: Value): string {
  const [long, short] = [text(whole), text(suffix)]
  return short !== '' && long.endsWith(short) ? long.slice(0, -short.length) : long
}

function decodeBase64(value: Value): string {
  const encoded = text(value).replace(/[\r\n]/g, '')
  const isWell = /^(?:[\w+/]{4})*(?:[\w+/]{2}==|[\w+/]{3}=)?$/.test(encoded)
  if (!isWell || encoded.includes('_')) throw new TemplateError('the text is no base64')
  return Buffer.from(encoded, 'base64').toString()
}

function parseBool(value: Value): boolean {
  if (/^(?:1|t|T|TRUE|true|True)$/.test(text(value))) return true
  if (/^(?:0|f|F|FALSE|false|False)$/.test(text(value))) return false
  throw new TemplateError('the text is neither true nor false')
}

function parseJson(value: Value, kind: typeof Dict | typeof List, expected: string): Value {
  let parsed: Value
  try {
    parsed = fromJson(JSON.parse(text(value)))
  } catch (cause) {
    throw new TemplateError('the text is no JSON', { cause })
  }
  // Go takes null for an empty map or list.
  if (parsed === null)
    return kind === Dict ? new Dict('interface {}', new Map()) : new List('interface {}', [])
  if (!(parsed instanceof kind)) throw new TemplateError(`the JSON is not ${expected}`)
  return parsed
}

function createMap(...values: readonly Value[]): Dict {
  if (values.length % 2 !== 0) throw new TemplateError('map takes a key and a value, in turn')
  const entries = new Map<string, Value>()
  for (let at = 0; at < values.length; at += 2) {
    const key = values[at]
    if (typeof key !== 'string') throw new TemplateError('the keys of map are strings')
    const value = values[at + 1]
    entries.set(key, value === undefined ? null : value)
  }
  return new Dict('interface {}', entries)
}

/** Of lists of strings and of keys; everything else passes as it is, as in confd. */
function reverse(value: Value): Value {
  if (value instanceof List && ['string', 'memkv.KVPair'].includes(value.element))
    return new List(value.element, value.items.toReversed())
  return value
}

function sortByLength(value: Value): List {
  const length = (item: string): number => Buffer.byteLength(item)
  return strings(texts(value).toSorted((one, other) => length(one) - length(other)))
}

function sortKeysByLength(value: Value): List {
  const { element, items } = value as List
  const length = (item: Value): number =>
    Buffer.byteLength(String((item as Struct).fields.get('Key')))
  return new List(
    element,
    items.toSorted((one, other) => length(one) - length(other)),
  )
}
