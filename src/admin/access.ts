/**
 * Who asks, and what they may do: a bearer token, the certificate of a client, or neither.
 *
 * Tokens are kept as SHA-256. A token is 32 random bytes: it cannot be guessed, whatever an attempt costs, so a slow hash
 * (scrypt) would protect nothing, and computing it for every request would stop the main thread. A hash is compared with all
 * of them in constant time.
 */
import { hash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import { isLoopbackHost } from '../model/ip.ts'
import { ANONYMOUS_ROLES, type AdminSettings, type AnonymousRole } from '../model/settings.ts'
import { type Caller, type Need, Refused } from './endpoint.ts'

export type AccessSettings = Pick<AdminSettings, 'address' | 'tokens' | 'tls' | 'anonymous'>

/** How a client came: to the address, or to the unix socket, whose permissions let in the user of Sluice alone. */
export type Way = 'address' | 'socket'

/** Throws Refused (401) if the token is not known. */
export type Identify = (request: IncomingMessage, way: Way) => Caller

/** `settings`: those in force; tokens may change. */
export function createAccess(settings: () => AccessSettings): Identify {
  let compiled: AccessSettings | null = null
  let digests: readonly (readonly [Buffer, AdminSettings['tokens'][number]])[] = []

  function find(token: string): AdminSettings['tokens'][number] | null {
    const current = settings()
    if (compiled !== current) {
      digests = current.tokens.map((one) => [Buffer.from(one.sha256, 'hex'), one])
      compiled = current
    }
    const digest = hash('sha256', token, 'buffer')
    let found = null
    for (const [known, one] of digests) if (timingSafeEqual(known, digest)) found = one
    return found
  }

  return (request, way) => {
    const { socket } = request
    const peer = way === 'socket' ? 'unix' : (socket.remoteAddress ?? 'gone')
    const { authorization } = request.headers
    if (authorization !== undefined) {
      const [, token = ''] = /^bearer +([\x21-\x7e]{1,4096})$/i.exec(authorization) ?? []
      const known = token === '' ? null : find(token)
      if (known === null) throw unauthorized('the token is not one of admin.tokens')
      return { name: `token ${known.name}`, role: known.role, isProven: true, peer }
    }
    const { tls } = settings()
    const clients = tls?.clients ?? null
    if (clients !== null && socket instanceof TLSSocket && socket.authorized) {
      const { subject } = socket.getPeerCertificate()
      return { name: `certificate ${nameOf(subject)}`, role: clients.role, isProven: true, peer }
    }
    return { name: 'anonymous', role: anonymousRole(settings(), way), isProven: false, peer }
  }
}

/** Throws Refused if the caller may not use the endpoint. */
export function authorize({ name, role, isProven }: Caller, needs: Need): void {
  if (rankOf(role) >= rankOf(needs)) return
  if (isProven) {
    throw new Refused(
      403,
      `${name} has the role ${role}; this needs ${needs} (admin.tokens, admin.tls)`,
    )
  }
  throw unauthorized('this needs a token: Authorization: Bearer TOKEN')
}

/** What a client without a token or a certificate may do. */
export function anonymousRole(
  { address, tokens, tls, anonymous }: AccessSettings,
  way: Way,
): AnonymousRole {
  if (anonymous !== null) return anonymous
  const isProtected = tokens.length > 0 || (tls?.clients ?? null) !== null
  const isLocal = way === 'socket' || isLoopbackHost(address.host)
  return isLocal && !isProtected ? 'write' : 'none'
}

function rankOf(role: AnonymousRole): number {
  return ANONYMOUS_ROLES.indexOf(role)
}

function unauthorized(message: string): Refused {
  return new Refused(401, message, {}, { 'WWW-Authenticate': 'Bearer realm="sluice"' })
}

function nameOf(subject: unknown): string {
  const { CN } = Object(subject) as { readonly CN?: unknown }
  const name: unknown = Array.isArray(CN) ? CN[0] : CN
  return typeof name === 'string' ? `CN=${name.slice(0, 128)}` : 'without a name'
}
