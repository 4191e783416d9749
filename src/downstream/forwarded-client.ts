/**
 * The client behind trusted proxies, as X-Forwarded-For says it, or Forwarded (RFC 7239) where that is absent. Both are lists to
 * which each proxy adds on the right: they are read from the right, up to the first address that is not trusted itself. What
 * stands left of it is the client's own to write, and cannot change how the rest is read.
 */
import { isIP } from 'node:net'
import { routingHost } from '../http/authority.ts'
import type { ForwardedFields } from '../http/request-head.ts'
import { plainHost } from '../model/ip.ts'
import type { Trust } from './trust.ts'

/** Of a chain so many hops are looked at: a client can write any number of trusted addresses into it. */
const MOST_HOPS = 100

export interface ForwardedClient {
  readonly ip: string
  /** What the client spoke and asked for, where Forwarded says it; null and '' elsewhere. */
  readonly scheme: 'http' | 'https' | null
  readonly authority: string
}

export function readClient(
  peer: string,
  { for: forwardedFor, forwarded }: ForwardedFields,
  trust: Trust,
): ForwardedClient {
  let client: ForwardedClient = { ip: peer, scheme: null, authority: '' }
  if (forwardedFor !== '') {
    for (const hop of fromRight(forwardedFor, ',', MOST_HOPS)) {
      const ip = readHop(hop)
      if (ip === null) break
      client = { ip, scheme: null, authority: '' }
      if (!trust.trusts(ip)) break
    }
    return client
  }
  if (forwarded === '') return client
  for (const element of fromRight(forwarded, ',', MOST_HOPS)) {
    const host = parameterOf(element, 'host')
    const scheme = readScheme(parameterOf(element, 'proto'))
    const authority = host !== '' && routingHost(host) !== null ? host : ''
    const ip = readHop(parameterOf(element, 'for'))
    client = { ip: ip ?? client.ip, scheme, authority }
    if (ip === null || !trust.trusts(ip)) break
  }
  return client
}

/** The addresses of Forwarded as X-Forwarded-For has them, those of the last hops where there are too many. */
export function hopsOf(forwarded: string): string {
  if (forwarded === '') return ''
  return fromRight(forwarded, ',', MOST_HOPS)
    .map((element) => readHop(parameterOf(element, 'for')) ?? 'unknown')
    .reverse()
    .join(', ')
}

/** Of a scheme, or a list of them whose first one is the client's. */
export function readScheme(text: string): 'http' | 'https' | null {
  switch (text.split(',', 1)[0]?.trim().toLowerCase()) {
    case 'https':
    case 'wss':
      return 'https'
    case 'http':
    case 'ws':
      return 'http'
    default:
      return null
  }
}

const BRACKETED = /^\[([^\]]*)\](?::[\w.-]+)?$/
const WITH_PORT = /^([0-9.]+):[\w.-]+$/
/** All eight groups, and a port that stands unbracketed behind them. */
const EIGHT_GROUPS_WITH_PORT = /^((?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}):[0-9]{1,5}$/i

/**
 * One hop's address, canonical: without the quotes, brackets, port and zone that it may be written with. Null where it hides it
 * (`unknown`, `_name`) or is none.
 */
export function readHop(hop: string): string | null {
  let text = unquoted(hop.trim())
  if (isIP(text) === 4) return text
  text =
    (BRACKETED.exec(text) ?? WITH_PORT.exec(text) ?? EIGHT_GROUPS_WITH_PORT.exec(text))?.[1] ?? text
  const zone = text.indexOf('%')
  if (zone >= 0) text = text.slice(0, zone)
  return isIP(text) === 0 ? null : plainHost(text)
}

function parameterOf(element: string, name: string): string {
  for (const pair of fromRight(element, ';', MOST_HOPS)) {
    const equals = pair.indexOf('=')
    if (equals < 0 || pair.slice(0, equals).trim().toLowerCase() !== name) continue
    return unquoted(pair.slice(equals + 1).trim())
  }
  return ''
}

/** RFC 9110 section 5.6.4. */
function unquoted(text: string): string {
  if (text.length < 2 || !text.startsWith('"') || !text.endsWith('"')) return text
  return text.slice(1, -1).replace(/\\(.)/g, '$1')
}

/** The last `most` parts between separators that stand in no quotes, the last one first: quotes are paired from the right. */
function fromRight(text: string, separator: ',' | ';', most: number): string[] {
  const parts: string[] = []
  let end = text.length
  let isQuoted = false
  for (let at = end - 1; at >= 0; at--) {
    const character = text[at]
    if (character === '"' && !isEscaped(text, at)) isQuoted = !isQuoted
    else if (!isQuoted && character === separator) {
      parts.push(text.slice(at + 1, end))
      if (parts.length === most) return parts
      end = at
    }
  }
  parts.push(text.slice(0, end))
  return parts
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0
  while (text[at - 1 - backslashes] === '\\') backslashes++
  return backslashes % 2 === 1
}
