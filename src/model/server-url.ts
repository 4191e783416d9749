/**
 * A server's url: a scheme, a host, a port and nothing else, because nothing else would be sent; or the path of a unix socket.
 * `h2c` is HTTP/2 without TLS. `tcp` and `tls` are for streams that are not HTTP, and have no default port.
 */
import { isIP } from 'node:net'
import { denyHost } from './denied-address.ts'
import { bracketHost, parseHost, parseSocketPath, withoutRoot } from './address.ts'
import { type Scalar, bad, good, quote } from './parsed.ts'
import type { Protocol, Server } from './snapshot.ts'

export type Scheme = 'http' | 'https' | 'h2c' | 'tcp' | 'tls'

/** Without a port in a url. */
const DEFAULT_PORTS: Readonly<Record<Scheme, number | null>> = {
  http: 80,
  https: 443,
  h2c: 80,
  tcp: null,
  tls: null,
}

/** Whether the server never speaks HTTP/2, in a backend with this protocol. */
export function speaksHttp1(
  { scheme, protocol: own }: Pick<Server, 'scheme' | 'protocol'>,
  ofBackend: Protocol,
): boolean {
  const protocol = own ?? ofBackend
  if (scheme === 'https') return protocol === 'http/1.1'
  return scheme === 'http' && protocol !== 'h2'
}

/** Whether connections to the server begin with a TLS handshake. */
export function speaksTls(scheme: Scheme): boolean {
  return scheme === 'https' || scheme === 'tls'
}

/** Whether a server is declared as one of streams, which may not speak HTTP. */
export function isStreamScheme(scheme: Scheme): boolean {
  return scheme === 'tcp' || scheme === 'tls'
}

export interface ServerUrl {
  /** Canonical, the port always written: `http://127.0.0.1:5001`; `unix:/run/app.sock`. */
  readonly url: string
  readonly scheme: Scheme
  /** Without brackets. A fully qualified name ends in a dot. For a unix socket, its path. */
  readonly host: string
  /** 0 for a unix socket. */
  readonly port: number
}

const FORM = /^(https?|h2c|tcp|tls):\/\/(\[[^\]/]*\]|[^/:?#@[\]\\]+)(?::(\d{1,5}))?\/?$/i

export function parseServerUrl(value: unknown): Scalar<ServerUrl> {
  if (value === undefined) return bad('is missing')
  if (typeof value === 'string' && /^unix:/i.test(value)) return parseSocketUrl(value.slice(5))
  const match = typeof value === 'string' && value.length <= 300 ? FORM.exec(value) : null
  if (match === null) return bad(explain(value))
  const scheme = match[1]?.toLowerCase() as Scheme
  const port = match[3] === undefined ? DEFAULT_PORTS[scheme] : Number(match[3])
  if (port === null)
    return bad(`a ${scheme} server needs a port: write it as ${scheme}://10.0.0.7:5432`)
  if (port < 1 || port > 65_535)
    return bad(`the port must be from 1 to 65535, not ${quote(String(port))}`)
  const host = parseServerHost(match[2] ?? '')
  if (!host.ok) return host
  const denied = denyHost(host.value)
  if (denied !== null) return bad(`a server cannot be at ${quote(host.value)}: it ${denied}`)
  return good({
    url: `${scheme}://${bracketHost(host.value)}:${port}`,
    scheme,
    host: host.value,
    port,
  })
}

/** `app.example.com.`: no search domain is appended. */
function parseServerHost(text: string): Scalar<string> {
  const host = parseHost(withoutRoot(text))
  if (!host.ok || !text.endsWith('.')) return host
  if (isIP(host.value) !== 0) return bad('an address must not end in a dot')
  return good(`${host.value}.`)
}

function parseSocketUrl(text: string): Scalar<ServerUrl> {
  const path = parseSocketPath(text)
  if (!path.ok) return path
  const host = path.value
  return good({ url: `unix:${host}`, scheme: 'http', host, port: 0 })
}

interface NamedHost {
  readonly host: string
  readonly hostname?: string | undefined
}

/** The name for Host, SNI and verification, without the dot at its end; of a unix socket without one, `localhost`. */
export function hostnameOf({ host, hostname }: NamedHost): string {
  return hostname ?? (isSocketPath(host) ? 'localhost' : withoutRoot(host))
}

/** `name:port` as in Host; without the port if it is the scheme's, or that of a unix socket. */
export function authorityOf(server: Pick<ServerUrl, 'scheme' | 'port'> & NamedHost): string {
  const { scheme, port } = server
  const name = bracketHost(hostnameOf(server))
  return port === 0 || port === DEFAULT_PORTS[scheme] ? name : `${name}:${port}`
}

/** Whether the host of a server is the path of a unix socket. */
export function isSocketPath(host: string): boolean {
  return host.startsWith('/')
}

/** Names the broken rule, with words of its own for common mistakes. */
function explain(value: unknown): string {
  const example = 'write it as http://10.0.0.7:8080'
  if (typeof value !== 'string') return `must be a url, not ${quote(value)}; ${example}`
  const scheme = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(value)
  if (scheme === null) return `${quote(value)} is not a url; ${example}`
  if (!/^(https?|h2c|tcp|tls)$/i.test(scheme[1] ?? ''))
    return `only http, https, h2c, tcp and tls servers can be reached, not ${quote(scheme[1])}`
  // Not quoted: the text before the @ is a secret.
  if (/^[^/?#]*@/.test(scheme[2] ?? '')) return 'a server url cannot carry a user name or password'
  if (/^[^/?#]+[/?#]./.test(scheme[2] ?? '')) {
    return `a server url cannot have a path or query, ${quote(value)} has; requests keep their own`
  }
  return `${quote(value)} is not a valid url; ${example}`
}
