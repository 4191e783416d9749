/**
 * Variables of a request, in the notation of vulcand's templates: `{{.Request.Host}}`, `{{.Request.Header.Get "X-Name"}}`. A small
 * closed language: a variable is one of this file or it is none, and a value that was put in is never read again.
 */
import type { Exchange } from '../../http/exchange.ts'
import { TCHAR } from '../../model/names.ts'

export type Variable = (exchange: Exchange) => string

/** Of the whole text of a variable, with its braces. */
export const LONGEST_VARIABLE = 192

const FIELD = new RegExp(`^Header\\.Get\\s+"(${TCHAR}{1,128})"$`)

const VARIABLES: ReadonlyMap<string, Variable> = new Map([
  ['Host', ({ to }) => to.authority],
  ['Method', ({ method }) => method],
  ['Proto', ({ protocol }) => (protocol === 'HTTP/2' ? 'HTTP/2.0' : protocol)],
  ['RemoteAddr', ({ peerIp, peerPort }) => hostAndPort(peerIp, peerPort)],
  ['RequestURI', ({ to }) => to.target],
  ['URL', ({ to }) => to.target],
  ['URL.Path', ({ to }) => decoded(pathOf(to.target))],
  ['URL.RawQuery', ({ to }) => queryOf(to.target)],
  ['UserAgent', (exchange) => exchange.field('user-agent') ?? ''],
  ['Referer', (exchange) => exchange.field('referer') ?? ''],
])

/** For messages. */
export const KNOWN_VARIABLES: string = [...VARIABLES.keys(), 'Header.Get "NAME"']
  .map((name) => `{{.Request.${name}}}`)
  .join(', ')

/** A variable with its braces; null: it is none. */
export function parseVariable(text: string): Variable | null {
  const inner = text.slice(2, -2).trim()
  if (!inner.startsWith('.Request.')) return null
  const name = inner.slice('.Request.'.length)
  const field = FIELD.exec(name)?.[1]?.toLowerCase()
  if (field !== undefined) return (exchange) => exchange.field(field) ?? ''
  return VARIABLES.get(name) ?? null
}

/** The header that a variable names, in lower case; null: it names none. */
export function headerOfVariable(text: string): string | null {
  const inner = text.slice(2, -2).trim()
  return FIELD.exec(inner.slice('.Request.'.length))?.[1]?.toLowerCase() ?? null
}

export function pathOf(target: string): string {
  const mark = target.indexOf('?')
  return mark < 0 ? target : target.slice(0, mark)
}

export function queryOf(target: string): string {
  const mark = target.indexOf('?')
  return mark < 0 ? '' : target.slice(mark + 1)
}

/** Each escape as its byte. */
function decoded(path: string): string {
  return path.replace(/%([0-9A-Fa-f]{2})/g, (_escape, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

function hostAndPort(ip: string, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`
}
