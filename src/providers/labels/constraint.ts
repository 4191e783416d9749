/**
 * Which instances a source reads, by their labels: Traefik's expression (`Label("tier", "web") && !LabelRegex("env", "^dev")`), or
 * the form of Sluice, labels that must be there: `{ tier: web, env: [staging, live] }`.
 *
 *   any = all { "||" all }
 *   all = one { "&&" one }
 *   one = "!" one | "(" any ")" | NAME "(" STRING [ "," STRING ] ")"
 */
import { RE2JS, RE2JSException } from 're2js'
import { bad, good, isMap, quote, type Scalar } from '../../model/parsed.ts'
import { ScanError } from '../../policy/scan.ts'
import { TokenReader } from '../../policy/expression.ts'

/** Whether an instance with these labels is read. */
export type Constraint = (labels: ReadonlyMap<string, string>) => boolean

const MAX_LENGTH = 4_096
const MAX_DEPTH = 32
const MAX_PATTERN = 1_024
const MAX_LABELS = 100

export function parseConstraint(value: unknown): Scalar<Constraint> {
  if (typeof value === 'string') return parseExpression(value)
  if (!isMap(value)) return bad(`must be an expression or a map of labels, not ${quote(value)}`)
  return parseMap(value)
}

function parseMap(map: Readonly<Record<string, unknown>>): Scalar<Constraint> {
  const wanted = Object.entries(map)
  if (wanted.length > MAX_LABELS) return bad(`must hold at most ${MAX_LABELS} labels`)
  const terms: Constraint[] = []
  for (const [name, value] of wanted) {
    const values: readonly unknown[] = Array.isArray(value) ? value : [value]
    const texts = values.map((one) => (isScalar(one) ? String(one) : null))
    if (texts.includes(null) || texts.length === 0) {
      return bad(`${quote(name)} must be a text or a list of texts, not ${quote(value)}`)
    }
    terms.push((labels) => texts.includes(labels.get(name) ?? null))
  }
  return good((labels) => terms.every((term) => term(labels)))
}

function isScalar(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value)
}

function parseExpression(text: string): Scalar<Constraint> {
  if (text.length > MAX_LENGTH) {
    return bad(`has ${text.length} characters, at most ${MAX_LENGTH} are taken`)
  }
  try {
    const tokens = new TokenReader(text)
    const constraint = readAny(tokens, 0)
    if (tokens.current.kind !== 'end') tokens.refuse('"&&", "||" or the end')
    return good(constraint)
  } catch (error) {
    if (!(error instanceof ScanError)) throw error
    return bad(`${error.message} (at character ${error.position + 1})`)
  }
}

function readAny(tokens: TokenReader, depth: number): Constraint {
  const parts = [readAll(tokens, depth)]
  while (tokens.skips('||')) parts.push(readAll(tokens, depth))
  return (labels) => parts.some((part) => part(labels))
}

function readAll(tokens: TokenReader, depth: number): Constraint {
  const parts = [readOne(tokens, depth)]
  while (tokens.skips('&&')) parts.push(readOne(tokens, depth))
  return (labels) => parts.every((part) => part(labels))
}

function readOne(tokens: TokenReader, depth: number): Constraint {
  const { kind, position } = tokens.current
  if (depth > MAX_DEPTH) {
    throw new ScanError(`is nested more than ${MAX_DEPTH} deep`, position)
  }
  if (tokens.skips('!')) {
    const inner = readOne(tokens, depth + 1)
    return (labels) => !inner(labels)
  }
  if (tokens.skips('(')) {
    const inner = readAny(tokens, depth + 1)
    tokens.take(')', '"&&", "||" or ")"')
    return inner
  }
  if (kind !== 'name') tokens.refuse('a function, "!" or "("')
  return readCall(tokens)
}

type Compile = (values: readonly string[], refuse: (why: string) => never) => Constraint

/** By name: the number of values, and what it tests. Tags are what Consul has in the place of labels. */
const CALLS: ReadonlyMap<string, readonly [values: number, compile: Compile]> = new Map<
  string,
  readonly [number, Compile]
>([
  [
    'Label',
    [
      2,
      ([name = '', value]) =>
        (labels) =>
          labels.get(name) === value,
    ],
  ],
  [
    'LabelRegex',
    [
      2,
      ([name = '', pattern = ''], refuse) => {
        const regexp = compilePattern(pattern, refuse)
        return (labels) => regexp.matcher(labels.get(name) ?? '').find()
      },
    ],
  ],
  [
    'Tag',
    [
      1,
      ([tag]) =>
        (labels) =>
          [...labels].some((one) => toTag(one) === tag),
    ],
  ],
  [
    'TagRegex',
    [
      1,
      ([pattern = ''], refuse) => {
        const regexp = compilePattern(pattern, refuse)
        return (labels) => [...labels].some((one) => regexp.matcher(toTag(one)).find())
      },
    ],
  ],
])

function toTag([name, value]: readonly [string, string]): string {
  return value === '' ? name : `${name}=${value}`
}

function readCall(tokens: TokenReader): Constraint {
  const { text: name, position } = tokens.next()
  const found = CALLS.get(name)
  const refuse = (why: string): never => {
    throw new ScanError(why, position)
  }
  if (found === undefined) {
    return refuse(`there is no ${quote(name)}; there are ${[...CALLS.keys()].join(', ')}`)
  }
  const [count, compile] = found
  const usage = `as in ${name}(${count === 2 ? '"name", "value"' : '"value"'})`
  tokens.take('(', `"(", ${usage}`)
  const values: string[] = []
  while (values.length < count) {
    if (values.length > 0) tokens.take(',', `",", ${usage}`)
    if (tokens.current.kind !== 'string') tokens.refuse(`a string, ${usage}`)
    values.push(tokens.next().text)
  }
  tokens.take(')', `")", ${usage}`)
  return compile(values, refuse)
}

/** Found anywhere in the value, as in Traefik. */
function compilePattern(pattern: string, refuse: (why: string) => never): RE2JS {
  if (pattern.length > MAX_PATTERN) {
    refuse(`the expression has ${pattern.length} characters, at most ${MAX_PATTERN} are taken`)
  }
  try {
    return RE2JS.compile(pattern)
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error
    const reason = error.message.replace(/^error parsing regexp: /, '')
    return refuse(`${quote(pattern)} is not a regular expression of RE2: ${reason}`)
  }
}
