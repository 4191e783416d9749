/**
 * The functions with which confd's templates read keys: what its store (memkv) answers, in the same order, with the same errors. Those
 * that begin with a c open the value, which crypt has sealed.
 */
import { base, directory, strings } from './confd-functions.ts'
import { declare, type Functions } from './function.ts'
import { compileKeyPattern } from './key-pattern.ts'
import type { Asking } from './questions.ts'
import { compareBytes, List, Struct, TemplateError, type Value } from './value.ts'

/** The type of what `get` returns. */
export const KEY_VALUE = 'memkv.KVPair'

interface Pair {
  readonly key: string
  readonly value: string
}

interface Placed {
  readonly key: string
  /** The terms of the path that the key is in. */
  readonly folder: readonly string[]
}

/**
 * @param keys without the prefix, each with a slash at its beginning
 * @param faults by key, why its value cannot be read: an error if it is
 */
export function keyFunctions(
  keys: ReadonlyMap<string, string>,
  faults: ReadonlyMap<string, string>,
  asking: Asking,
): Functions {
  let sorted: readonly Pair[] | null = null
  let placed: readonly Placed[] | null = null

  function all(): readonly Pair[] {
    sorted ??= [...keys]
      .map(([key, value]) => ({ key, value }))
      .sort((one, other) => compareBytes(one.key, other.key))
    return sorted
  }

  function allPlaced(): readonly Placed[] {
    placed ??= [...keys.keys()].map((key) => ({ key, folder: termsOf(directory(key)) }))
    return placed
  }

  function get(key: Value): Pair {
    const value = keys.get(text(key))
    if (value === undefined) throw new TemplateError(`key does not exist: ${text(key)}`)
    return readable({ key: text(key), value })
  }

  function getAll(pattern: Value): readonly Pair[] {
    if (keys.size === 0) return []
    const isWanted = compileKeyPattern(text(pattern))
    return all()
      .filter(({ key }) => isWanted(key))
      .map(readable)
  }

  function readable(pair: Pair): Pair {
    const fault = faults.get(pair.key)
    if (fault !== undefined) throw new TemplateError(`the key ${pair.key} ${fault}`)
    return pair
  }

  function getValue(key: Value, otherwise: Value): string {
    const isDefault = otherwise !== undefined && !keys.has(text(key))
    return isDefault ? text(otherwise) : get(key).value
  }

  function open({ key }: Pair): Pair {
    const answer = asking.ask({ kind: 'opened', key })
    if (answer?.kind === 'fault') throw new TemplateError(`${key}: ${answer.reason}`)
    return { key, value: answer?.kind === 'opened' ? answer.text : '' }
  }

  return new Map(
    Object.entries({
      exists: declare(['string'], (key) => keys.has(text(key))),
      ls: declare(['string'], (path) => strings(list(allPlaced(), text(path)))),
      lsdir: declare(['string'], (path) => strings(listFolders(allPlaced(), text(path)))),
      get: declare(['string'], (key) => toStruct(get(key))),
      gets: declare(['string'], (pattern) => toList(getAll(pattern))),
      getv: declare(['string'], getValue, 'string'),
      getvs: declare(['string'], (pattern) => strings(valuesOf(getAll(pattern)))),
      cget: declare(['string'], (key) => toStruct(open(get(key)))),
      cgets: declare(['string'], (pattern) => toList(getAll(pattern).map(open))),
      cgetv: declare(['string'], (key) => open(get(key)).value),
      cgetvs: declare(['string'], (pattern) => strings(valuesOf(getAll(pattern).map(open)))),
    }),
  )
}

/** Names of what is below the path, or the last segment of the path if it is a key. */
function list(all: readonly Placed[], path: string): readonly string[] {
  const start = termsOf(path)
  const found = new Set<string>()
  for (const { key, folder } of all) {
    if (key === path) found.add(base(key))
    else if (begins(folder, start)) found.add(firstTerm(key, path))
  }
  return sortedTexts(found)
}

/** Of those that have keys below themselves. */
function listFolders(all: readonly Placed[], path: string): readonly string[] {
  const start = termsOf(path)
  const found = new Set<string>()
  for (const { key, folder } of all) {
    const name = folder[start.length]
    if (name !== undefined && key.startsWith(path) && begins(folder, start)) found.add(name)
  }
  return sortedTexts(found)
}

function firstTerm(key: string, path: string): string {
  const rest = key.startsWith(path) ? key.slice(path.length) : key
  return rest.replace(/^\//, '').split('/')[0] ?? ''
}

/** Of the cleaned path: '/' has two, which are empty. */
function termsOf(path: string): readonly string[] {
  return path === '' ? ['.'] : directory(`${path}/`).split('/')
}

function begins(terms: readonly string[], start: readonly string[]): boolean {
  return start.length <= terms.length && start.every((term, at) => terms[at] === term)
}

function valuesOf(pairs: readonly Pair[]): readonly string[] {
  return sortedTexts(pairs.map(({ value }) => value))
}

function sortedTexts(texts: Iterable<string>): readonly string[] {
  return [...texts].sort(compareBytes)
}

function toStruct({ key, value }: Pair): Struct {
  return new Struct(
    KEY_VALUE,
    new Map([
      ['Key', key],
      ['Value', value],
    ]),
  )
}

function toList(pairs: readonly Pair[]): List {
  return new List(KEY_VALUE, pairs.map(toStruct))
}

function text(value: Value): string {
  return value as string
}
