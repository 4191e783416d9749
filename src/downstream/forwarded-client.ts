/**
 * The client behind trusted proxies, by X-Forwarded-For, or by Forwarded (RFC 7239) if that is absent. Each proxy appends to the
 * right of these lists, so they are read from the right, up to the first address that is not trusted. What is left of it can be
 * written by the client, and does not affect how the rest is read.
 */
import { isIP } from 'node:net'
import { routingHost } from '../http/message/authority.ts'
import type { ForwardedFields } from '../http/message/forwarded-fields.ts'
import { compileNetworks, plainHost } from '../model/ip.ts'

/** Whose forwarding fields are trusted: none by default, else the peers that the settings name. */
export interface Trust {
  trusts(ip: string): boolean
}

/** Takes valid CIDR blocks or addresses (settings are validated before). */
export function compileTrust(blocks: readonly string[]): Trust {
  return { trusts: compileNetworks(blocks) }
}

/** Hops that are read at most, because a client can write any number of trusted addresses. */
const MOST_HOPS = 100

export interface ForwardedClient {
  readonly ip: string
  /** The client's scheme and authority by Forwarded; null and '' without it. */
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

/** The addresses of Forwarded in the form of X-Forwarded-For; only the last hops if there are too many. */
export function hopsOf(forwarded: string): string {
  if (forwarded === '') return ''
  return fromRight(forwarded, ',', MOST_HOPS)
    .map((element) => readHop(parameterOf(element, 'for')) ?? 'unknown')
    .reverse()
    .join(', ')
}

/** Takes a scheme, or a list of schemes of which the first is the client's. */
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
/** An IPv6 address of eight groups without brackets, followed by a port. */
const EIGHT_GROUPS_WITH_PORT = /^((?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}):[0-9]{1,5}$/i

/**
 * The canonical address of one hop, without quotes, brackets, port and zone. Null if it is hidden (`unknown`, `_name`) or no
 * address.
 */
function readHop(hop: string): string | null {
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

/** The last `most` parts, the last one first, split at separators outside of quotes; quotes are paired from the right. */
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
