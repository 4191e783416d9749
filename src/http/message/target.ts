/** The request target in its four forms (RFC 9112 section 3.2), parsed without building a URL. */
import type { PathPolicy } from '../../model/snapshot.ts'
import { type LastHost, portOf, routingHost } from './authority.ts'
import { ExchangeError } from './errors.ts'
import { type AmbiguousPath, readPath } from './path-policy.ts'
import type { RequestHead } from './request-head.ts'

export interface Destination {
  /** The authority as the client sent it, for the Host field; '' for HTTP/1.0 without one. */
  readonly authority: string
  /** The host that routes match. */
  readonly host: string
  /** The path that routes match; `*` for OPTIONS of the whole server. */
  readonly path: string
  /** Without `?`. */
  readonly query: string
  /** The target that is forwarded: origin-form or `*`. */
  readonly target: string
  /** If not null, `target` is not final: the path policy of the route that matches `path` decides. */
  readonly ambiguous: AmbiguousPath | null
}

/** The destination of a request that was refused before it was parsed. */
export const NOWHERE: Destination = {
  authority: '',
  host: '',
  path: '',
  query: '',
  target: '',
  ambiguous: null,
}

const ABSOLUTE = /^https?:\/\/([^/?]*)(.*)$/i

export function readTarget(
  head: RequestHead,
  scheme: 'http' | 'https',
  policy: PathPolicy,
  lastHost: LastHost,
): Destination | ExchangeError {
  const { target, method } = head
  if (method === 'CONNECT') {
    return new ExchangeError(
      'METHOD_REFUSED',
      'CONNECT is not offered: this is not a forward proxy',
    )
  }
  if (head.host === null && head.minorVersion === 1) {
    return new ExchangeError('BAD_HOST', 'HTTP/1.1 requires exactly one Host field')
  }
  let authority = head.host ?? ''
  let origin = target
  if (target.charCodeAt(0) !== SLASH && target !== '*') {
    const absolute = ABSOLUTE.exec(target)
    if (absolute === null) {
      return new ExchangeError(
        'BAD_TARGET',
        'the target is neither a path nor an absolute http url',
      )
    }
    const named = absolute[1] ?? ''
    if (head.host !== null && !sameAuthority(named, head.host, scheme)) {
      return new ExchangeError('BAD_HOST', 'the target names another host than the Host field')
    }
    authority = named
    origin = absolute[2] ?? ''
    if (origin === '') origin = method === 'OPTIONS' ? '*' : '/'
    else if (origin.startsWith('?')) origin = '/' + origin
  }
  const host = authority === '' && head.host === null ? '' : lastHost.of(authority)
  if (host === null) return new ExchangeError('BAD_HOST', 'the host is not "name" or "name:port"')
  if (origin === '*') {
    if (method !== 'OPTIONS')
      return new ExchangeError('BAD_TARGET', '"*" is a target of OPTIONS only')
    return { authority, host, path: '*', query: '', target: '*', ambiguous: null }
  }
  const mark = origin.indexOf('?')
  const written = mark < 0 ? origin : origin.slice(0, mark)
  const ambiguous = readPath(written, policy)
  if (typeof ambiguous === 'string') return new ExchangeError('AMBIGUOUS_PATH', ambiguous)
  const query = mark < 0 ? '' : origin.slice(mark + 1)
  const path = ambiguous === null ? written : ambiguous.normalized
  return { authority, host, path, query, target: origin, ambiguous }
}

const SLASH = 47

function sameAuthority(one: string, other: string, scheme: 'http' | 'https'): boolean {
  if (one === other) return true
  const host = routingHost(one)
  return (
    host !== null && host === routingHost(other) && portOf(one, scheme) === portOf(other, scheme)
  )
}
