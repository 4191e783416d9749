/**
 * Traefik's rules, of version 2 and 3, in our route language. Operators and parentheses are the same in both, so that only
 * the calls are rewritten, each to what matches exactly the same; what has no such counterpart is a fault.
 */
import { quote } from '../../model/parsed.ts'
import { ValueFault } from '../value-fault.ts'

export interface TranslatedRule {
  readonly route: string
  /** The one host that every request of this rule asks for; null: there may be others. */
  readonly host: string | null
}

const MAX_LENGTH = 8192
const TOKEN = /\s*(?:(&&|\|\||[!(),])|([A-Za-z]+)|`([^`]*)`|("(?:[^"\\]|\\.)*"))/y

interface Token {
  readonly kind: 'punctuation' | 'name' | 'string'
  readonly text: string
}

export function translateRule(rule: string): TranslatedRule {
  if (rule.length > MAX_LENGTH) {
    throw new ValueFault(`rule: has ${rule.length} characters, at most ${MAX_LENGTH} are taken`)
  }
  const tokens = scan(rule)
  const parts: string[] = []
  const hosts: string[] = []
  let branches = false
  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at]
    if (token?.kind === 'punctuation') {
      branches ||= token.text === '||' || token.text === '!'
      parts.push(token.text)
      continue
    }
    if (token?.kind !== 'name') throw new ValueFault(`rule: ${quote(token?.text)} is out of place`)
    const values = argumentsAt(tokens, at + 1, token.text)
    at += 2 * values.length + 1
    if (token.text.toLowerCase().startsWith('host')) hosts.push(token.text, ...values)
    parts.push(translateCall(token.text, values))
  }
  const [name, host = ''] = hosts
  const isOne = !branches && hosts.length === 2 && name?.toLowerCase() === 'host'
  return { route: parts.join(' '), host: isOne ? host : null }
}

function scan(rule: string): readonly Token[] {
  const tokens: Token[] = []
  const text = rule.trimEnd()
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex
    const [whole, punctuation, name, raw, quoted] = TOKEN.exec(text) ?? []
    if (whole === undefined) {
      throw new ValueFault(`rule: cannot be read from ${quote(text.slice(at).trimStart())} on`)
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
    throw new ValueFault(`rule: ${quote(text)} holds an unknown escape; use back quotes`)
  }
}

/** The strings between parentheses, the first of which stands at `open`. */
function argumentsAt(tokens: readonly Token[], open: number, name: string): readonly string[] {
  const values: string[] = []
  for (let at = open; ; at += 2) {
    const before = tokens[at]?.text
    const value = tokens[at + 1]
    const isString = value?.kind === 'string'
    if (before !== (at === open ? '(' : ',') || !isString) {
      throw new ValueFault(`rule: ${quote(name)} must be called with strings in back quotes`)
    }
    values.push(value.text)
    if (tokens[at + 2]?.text === ')' && tokens[at + 2]?.kind === 'punctuation') return values
  }
}

// Version 2 takes function names in any case.
const CALLS: ReadonlyMap<string, (values: readonly string[]) => string> = new Map([
  ['host', (values: readonly string[]) => call('Host', values.map(plainHost))],
  ['hostheader', (values: readonly string[]) => call('Host', values.map(plainHost))],
  ['hostregexp', (values: readonly string[]) => call('HostRegexp', values.map(goRegexp))],
  ['path', (values: readonly string[]) => call('Path', values.map(plain))],
  ['pathprefix', (values: readonly string[]) => anyOf(values.map(prefix))],
  ['pathregexp', (values: readonly string[]) => call('PathRegexp', values)],
  ['method', (values: readonly string[]) => call('Method', values.map(upperCase))],
  ['header', (values: readonly string[]) => header('Header', values)],
  ['headers', (values: readonly string[]) => header('Header', values)],
  ['headerregexp', (values: readonly string[]) => header('HeaderRegexp', values)],
  ['headersregexp', (values: readonly string[]) => header('HeaderRegexp', values)],
  ['query', query],
  ['clientip', (values: readonly string[]) => call('ClientIP', values)],
])

function translateCall(name: string, values: readonly string[]): string {
  const translate = CALLS.get(name.toLowerCase())
  if (translate === undefined) throw new ValueFault(`rule: ${quote(name)} is not supported yet`)
  return translate(values)
}

function call(name: string, values: readonly string[]): string {
  return `${name}(${values.map(toLiteral).join(', ')})`
}

function anyOf(terms: readonly string[]): string {
  return terms.length === 1 ? terms.join('') : `(${terms.join(' || ')})`
}

/** `{` opens a pattern in version 2 and stands for itself in version 3; `<` opens one in ours. */
function plain(text: string): string {
  if (/[{<]/.test(text)) {
    throw new ValueFault(`rule: ${quote(text)} holds a pattern; write it as a regular expression`)
  }
  return text
}

function plainHost(text: string): string {
  if (text.includes('*'))
    throw new ValueFault(`rule: ${quote(text)} holds a wildcard; use HostRegexp`)
  return plain(text)
}

function goRegexp(text: string): string {
  if (/\{[A-Za-z_]/.test(text)) {
    throw new ValueFault(
      `rule: ${quote(text)} is in the form of Traefik 2; write it as a regular expression of Go`,
    )
  }
  return text
}

/** Traefik compares texts, so that `/api` is a prefix of `/apix`: what a guard covers must not shrink. */
function prefix(text: string): string {
  plain(text)
  return text.endsWith('/') ? call('PathPrefix', [text]) : call('Path', [`${text}<path:rest>`])
}

function upperCase(text: string): string {
  return plain(text).toUpperCase()
}

function header(name: 'Header' | 'HeaderRegexp', values: readonly string[]): string {
  if (values.length !== 2) throw new ValueFault(`rule: ${name} takes a name and a value`)
  return call(name, name === 'Header' ? values.map(plain) : values)
}

/** Version 2: each argument is `name=value`, and all must be there. Version 3: a name, and maybe a value. */
function query(values: readonly string[]): string {
  const pairs = values.map((text) => text.split(/=(.*)/s, 2))
  const [first = '', second] = values
  if (pairs.every((pair) => pair.length === 2)) {
    const terms = pairs.map((pair) => call('Query', pair.map(plain)))
    return terms.length === 1 ? terms.join('') : `(${terms.join(' && ')})`
  }
  if (values.length > 2) throw new ValueFault('rule: Query takes a name and a value')
  return call('Query', second === undefined ? [first] : [first, second])
}

function toLiteral(text: string): string {
  return text.includes('`') ? JSON.stringify(text) : `\`${text}\``
}
