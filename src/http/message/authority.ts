/** Host and authority: RFC 9110 section 7.2, RFC 3986 section 3.2.2, without userinfo. */

import { isIPv6 } from 'node:net'
import { bracketHost } from '../../model/address.ts'
import { plainHost } from '../../model/ip.ts'

// A name or IPv4 address of unreserved characters (and _), or a bracketed IPv6 address; then an optional port.
// No label is empty; a dot at the end is allowed.
const AUTHORITY =
  /^(?:[A-Za-z0-9_~-]+(?:\.[A-Za-z0-9_~-]+)*\.?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?$/

/** The host as routes compare it: no port, lower case, no dot at the end, addresses in canonical form. Null if it is no authority. */
export function routingHost(authority: string): string | null {
  if (isPlainName(authority)) return authority
  if (!AUTHORITY.test(authority)) return null
  const port = portSeparator(authority)
  let host = port < 0 ? authority : authority.slice(0, port)
  if (port >= 0 && Number(authority.slice(port + 1)) > 65_535) return null
  if (host.charCodeAt(0) === BRACKET) return bracketedHost(host)
  if (host.charCodeAt(host.length - 1) === DOT) host = host.slice(0, -1)
  return host.length > LONGEST_NAME ? null : host.toLowerCase()
}

/** The canonical form of an address in brackets, without brackets if it is IPv4; null if it is no address. */
export function bracketedHost(host: string): string | null {
  const address = host.slice(1, -1)
  return host.endsWith(']') && isIPv6(address) ? bracketHost(plainHost(address)) : null
}

/** The usual authority, which is its own routing host: lower-case labels, digits, `-`, `_` and `~`, no port. */
function isPlainName(authority: string): boolean {
  let label = 0
  for (let at = 0; at < authority.length; at++) {
    const code = authority.charCodeAt(at)
    if (code === DOT) {
      if (label === 0) return false
      label = 0
    } else if (isPlain(code)) label++
    else return false
  }
  return label > 0 && authority.length <= LONGEST_NAME
}

function isPlain(code: number): boolean {
  if (code >= A && code <= Z) return true
  if (code >= ZERO && code <= NINE) return true
  return code === HYPHEN || code === UNDERSCORE || code === TILDE
}

/** Caches the host of the last authority, because most connections request only one. */
export class LastHost {
  #authority = ''
  #host: string | null = null

  /** As routingHost. */
  of(authority: string): string | null {
    if (authority !== this.#authority) {
      this.#host = routingHost(authority)
      this.#authority = authority
    }
    return this.#host
  }
}

const LONGEST_NAME = 253
const HYPHEN = 45
const DOT = 46
const ZERO = 48
const NINE = 57
const BRACKET = 91
const UNDERSCORE = 95
const A = 97
const Z = 122
const TILDE = 126

/** The port that the client named, or the scheme's own. */
export function portOf(authority: string, scheme: 'http' | 'https'): string {
  const port = portSeparator(authority)
  if (port >= 0 && port < authority.length - 1) return authority.slice(port + 1)
  return scheme === 'https' ? '443' : '80'
}

function portSeparator(authority: string): number {
  const colon = authority.lastIndexOf(':')
  if (colon < 0) return -1
  return colon > authority.lastIndexOf(']') ? colon : -1
}
