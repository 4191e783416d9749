/**
 * Translates Traefik's rules, of version 2 and 3, to Sluice's route language. Operators and parentheses are the same, so only the
 * calls are rewritten, each to one that matches exactly the same. A call without such a counterpart is a fault.
 */
import { quote } from '../../../model/parsed.ts'
import { TranslationError } from '../translation.ts'
import { isTemplate, literalRegexp, templateRegexp, type TemplateOf } from './template.ts'

export interface TranslatedRule {
  readonly route: string
}

const MAX_LENGTH = 8192
const TOKEN = /\s*(?:(&&|\|\||[!(),])|([A-Za-z]+)|`([^`]*)`|("(?:[^"\\]|\\.)*"))/y

export interface Token {
  readonly kind: 'punctuation' | 'name' | 'string'
  readonly text: string
}

/** The syntax of braces: version 2 has patterns, version 3 plain text. Null: the router does not say. */
export type RuleSyntax = 'v2' | 'v3' | null

export function translateRule(
  rule: string,
  syntax: RuleSyntax = null,
  protocol: 'http' | 'tcp' = 'http',
): TranslatedRule {
  if (rule.length > MAX_LENGTH) {
    throw new TranslationError(
      `rule: has ${rule.length} characters, at most ${MAX_LENGTH} are taken`,
    )
  }
  const tokens = scanRule(rule)
  const parts: string[] = []
  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at]
    if (token?.kind === 'punctuation') {
      parts.push(token.text)
      continue
    }
    if (token?.kind !== 'name')
      throw new TranslationError(`rule: ${quote(token?.text)} is out of place`)
    const values = argumentsAt(tokens, at + 1, token.text)
    at += 2 * values.length + 1
    parts.push(translateCall(token.text, values, syntax, protocol))
  }
  return { route: parts.join(' ') }
}

export function scanRule(rule: string): readonly Token[] {
  const tokens: Token[] = []
  const text = rule.trimEnd()
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex
    const [whole, punctuation, name, raw, quoted] = TOKEN.exec(text) ?? []
    if (whole === undefined) {
      throw new TranslationError(
        `rule: cannot be read from ${quote(text.slice(at).trimStart())} on`,
      )
    }
    if (punctuation !== undefined) tokens.push({ kind: 'punctuation', text: punctuation })
    else if (name !== undefined) tokens.push({ kind: 'name', text: name })
    else tokens.push({ kind: 'string', text: raw ?? unquote(quoted ?? '') })
  }
  return tokens
}

function unquote(text: string): string {
  try {
    return JSON.parse(text) as string
  } catch {
    throw new TranslationError(`rule: ${quote(text)} holds an unknown escape; use back quotes`)
  }
}

/** The strings between parentheses, from the first one, at `open`. */
function argumentsAt(tokens: readonly Token[], open: number, name: string): readonly string[] {
  const values: string[] = []
  for (let at = open; ; at += 2) {
    const before = tokens[at]?.text
    const value = tokens[at + 1]
    const isString = value?.kind === 'string'
    if (before !== (at === open ? '(' : ',') || !isString) {
      throw new TranslationError(`rule: ${quote(name)} must be called with strings in back quotes`)
    }
    values.push(value.text)
    if (tokens[at + 2]?.text === ')' && tokens[at + 2]?.kind === 'punctuation') return values
  }
}

type Translate = (values: readonly string[], syntax: RuleSyntax) => string

// Version 2 accepts function names in any case.
const CALLS: ReadonlyMap<string, Translate> = new Map<string, Translate>([
  ['host', (values, syntax) => withTemplates('Host', values, syntax, 'host')],
  ['hostheader', (values, syntax) => withTemplates('Host', values, syntax, 'host')],
  ['hostregexp', (values, syntax) => hostRegexp(values, syntax, 'HostRegexp')],
  ['path', (values, syntax) => withTemplates('Path', values, syntax, 'path')],
  ['pathprefix', (values, syntax) => withTemplates('PathPrefix', values, syntax, 'prefix')],
  ['pathregexp', (values) => call('PathRegexp', values)],
  ['method', (values) => call('Method', values.map(upperCase))],
  ['header', (values) => header('Header', values)],
  ['headers', (values) => header('Header', values)],
  ['headerregexp', (values) => header('HeaderRegexp', values)],
  ['headersregexp', (values) => header('HeaderRegexp', values)],
  ['query', query],
  ['clientip', (values) => call('ClientIP', values)],
])

const TCP_CALLS: ReadonlyMap<string, Translate> = new Map<string, Translate>([
  ['hostsni', (values) => call('HostSNI', values.map(plain))],
  ['hostsniregexp', (values, syntax) => hostRegexp(values, syntax, 'HostSNIRegexp')],
  ['alpn', (values) => call('ALPN', values)],
  ['clientip', (values) => call('ClientIP', values)],
])

function translateCall(
  name: string,
  values: readonly string[],
  syntax: RuleSyntax,
  protocol: 'http' | 'tcp',
): string {
  const [own, other] = protocol === 'http' ? [CALLS, TCP_CALLS] : [TCP_CALLS, CALLS]
  const translate = own.get(name.toLowerCase())
  if (translate !== undefined) return translate(values, syntax)
  const why = !other.has(name.toLowerCase())
    ? 'is not supported yet'
    : protocol === 'http'
      ? 'is a function of tcp routers'
      : 'is a function of http routers; tcp routers have HostSNI, HostSNIRegexp, ALPN and ClientIP'
  throw new TranslationError(`rule: ${quote(name)} ${why}`)
}

function call(name: string, values: readonly string[]): string {
  return `${name}(${values.map(toLiteral).join(', ')})`
}

function anyOf(terms: readonly string[]): string {
  return terms.length === 1 ? terms.join('') : `(${terms.join(' || ')})`
}

/** `<` opens a pattern in Sluice's language. */
function plain(text: string): string {
  if (/[{<]/.test(text)) {
    throw new TranslationError(
      `rule: ${quote(text)} holds a pattern; write it as a regular expression`,
    )
  }
  return text
}

/** In version 2 each is a template for the whole host; in version 3 a regular expression of Go, found anywhere. */
function hostRegexp(
  values: readonly string[],
  syntax: RuleSyntax,
  name: 'HostRegexp' | 'HostSNIRegexp',
): string {
  const isTemplates = syntax === 'v2' || (syntax === null && values.some(isTemplate))
  return call(name, isTemplates ? values.map((value) => templateRegexp(value, 'host')) : values)
}

/** Plain values in one call; values with braces as regular expressions. */
function withTemplates(
  name: 'Host' | 'Path' | 'PathPrefix',
  values: readonly string[],
  syntax: RuleSyntax,
  of: TemplateOf,
): string {
  const regexp = name === 'Host' ? 'HostRegexp' : 'PathRegexp'
  const expressions = values
    .filter((value) => value.includes('{'))
    .map((value) => (syntax === 'v3' ? literalRegexp(value, of) : templateRegexp(value, of)))
  const texts = values.filter((value) => !value.includes('{')).map(plain)
  const terms: string[] = []
  if (name === 'PathPrefix') terms.push(...texts.map(prefix))
  else if (texts.length > 0) terms.push(call(name, texts))
  if (expressions.length > 0) terms.push(call(regexp, expressions))
  return anyOf(terms)
}

/** Traefik compares texts: `/api` is a prefix of `/apix`. A translation must not match fewer paths, because it may protect them. */
function prefix(text: string): string {
  return text.endsWith('/') ? call('PathPrefix', [text]) : call('Path', [`${text}<path:rest>`])
}

function upperCase(text: string): string {
  return plain(text).toUpperCase()
}

function header(name: 'Header' | 'HeaderRegexp', values: readonly string[]): string {
  if (values.length !== 2) throw new TranslationError(`rule: ${name} takes a name and a value`)
  return call(name, name === 'Header' ? values.map(plain) : values)
}

// It only tests that the parameter exists.
const ANY_VALUE = /^\{[^{}:]+(?::\.\*)?\}$/

/** Version 2: each argument is `name=value`, and all must match. Version 3: a name and an optional value. */
function query(values: readonly string[]): string {
  const pairs = values.map((text) => text.split(/=(.*)/s, 2))
  const [first = '', second] = values
  if (pairs.every((pair) => pair.length === 2)) {
    const terms = pairs.map(([name = '', value = '']) =>
      call('Query', ANY_VALUE.test(value) ? [plain(name)] : [name, value].map(plain)),
    )
    return terms.length === 1 ? terms.join('') : `(${terms.join(' && ')})`
  }
  if (values.length > 2) throw new TranslationError('rule: Query takes a name and a value')
  return call('Query', second === undefined ? [first] : [first, second])
}

function toLiteral(text: string): string {
  return text.includes('`') ? JSON.stringify(text) : `\`${text}\``
}
