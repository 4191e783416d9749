/** Hosts (an IP address, or a name of letters, digits, `-` and `_`) and addresses to listen on. */
import { isIPv4, isIPv6 } from 'node:net'
import { posix } from 'node:path'
import { bad, good, quote, type Scalar } from './parsed.ts'
import { isSocketAddress } from './listener.ts'
import type { Address, ListenAddress } from './snapshot.ts'

// Compose and Swarm make names with underscores, so an underscore counts as a letter.
const NAME =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/
// `127.1`, `0x7f.1` and `2130706433` are addresses to some resolvers and names to others: here they are neither.
const NUMERIC_END = /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/

/** Canonical: lower case, IPv6 compressed and without brackets, which are optional in `text`. */
export function parseHost(text: string): Scalar<string> {
  if (isIPv4(text)) return good(text)
  const bracketed = text.startsWith('[') && text.endsWith(']')
  const bare = bracketed ? text.slice(1, -1) : text
  if (isIPv6(bare)) {
    if (bare.includes('%')) return bad('an IPv6 zone cannot be used here')
    return good(new URL(`http://[${bare}]`).hostname.slice(1, -1))
  }
  const name = text.toLowerCase()
  if (bracketed) return bad(`the host ${quote(text)} is not an IPv6 address`)
  if (NUMERIC_END.test(name)) return bad(`the host ${quote(text)} is not an IPv4 address`)
  if (name.endsWith('.')) return bad('the host must not end in a dot')
  if (/[^\x21-\x7e]/.test(name))
    return bad('the host must be ASCII; write the name in its xn-- form')
  return NAME.test(name) ? good(name) : bad(`the host ${quote(text)} is not a valid name`)
}

/**
 * The name of a TLS server for SNI and verification. RFC 6066 section 3: not an address (Node refuses it) and without a dot at
 * its end.
 */
export function parseServerName(text: string): Scalar<string> {
  if (isIPv4(text) || isIPv6(text.replace(/^\[|\]$/g, '')))
    return bad(
      `must be a name, not the address ${text}: leave it out, and the address in the url is verified`,
    )
  if (text.endsWith('.')) return bad('must not end in a dot')
  const host = parseHost(text)
  return host.ok ? host : bad(`must be a name such as app.example: ${host.reason}`)
}

/** Without the final dot of a fully qualified name (RFC 1034 section 3.1), as in Host, SNI and certificates. */
export function withoutRoot(host: string): string {
  return host.endsWith('.') ? host.slice(0, -1) : host
}

/** With brackets if it is IPv6, as before `:port`. */
export function bracketHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

const HOST_PORT = /^(\[[^\]]*\]|[^:[\]]*)(?::(\d{1,5}))?$/

/** Of `host:port`, `[::1]:port` or a host alone; null: it has another form. The host is as it is written, with its brackets. */
export function splitHostPort(text: string): { host: string; port: number | null } | null {
  const match = HOST_PORT.exec(text)
  if (match === null) return null
  return { host: match[1] ?? '', port: match[2] === undefined ? null : Number(match[2]) }
}

// Addresses to listen on: `host:port`, `[::1]:port`, and `:port` (or `*:port`) for every interface.

/**
 * The host of `:8080` is '': node:net then binds :: and 0.0.0.0 together if there is IPv6, else 0.0.0.0, which no written
 * address does.
 */
export function parseAddress(value: unknown): Scalar<Address> {
  if (value === undefined) return bad('is missing')
  const split = typeof value === 'string' && value.length <= 300 ? splitHostPort(value) : null
  if (split === null || split.port === null) {
    return bad(
      `must be an address such as 127.0.0.1:8080, :8080 or [::1]:8080, not ${quote(value)}`,
    )
  }
  const { host: text, port } = split
  if (port > 65_535) return bad(`the port must be from 0 to 65535, not ${quote(String(port))}`)
  if (text === '' || text === '*') return good({ host: '', port })
  const host = parseHost(text)
  return host.ok ? good({ host: host.value, port }) : host
}

export function formatAddress(address: Address): string {
  return `${bracketHost(address.host)}:${address.port}`
}

/** `unix:/run/sluice.sock` for a socket. */
export function formatListenAddress(address: ListenAddress): string {
  return isSocketAddress(address) ? `unix:${address.path}` : formatAddress(address)
}

// Unix sockets.

/** The length of sun_path on Linux and macOS. */
const MAX_SOCKET_BYTES = 103

/** `/run/app.sock`, also as `///run/app.sock`: what follows `unix:`. Normalized, so that each socket has one path. */
export function parseSocketPath(text: string): Scalar<string> {
  const path = text.replace(/^\/\/\//, '/')
  if (!/^\/[^/\0-\x1f\x7f]/.test(path) || /[\0-\x1f\x7f]|\/$/.test(path)) {
    return bad(
      `must be the absolute path of a socket such as unix:/run/app.sock, not ${quote(text)}`,
    )
  }
  if (Buffer.byteLength(path) > MAX_SOCKET_BYTES) {
    return bad(`the path of a unix socket must be at most ${MAX_SOCKET_BYTES} bytes long`)
  }
  return good(posix.normalize(path))
}
