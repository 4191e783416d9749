/** The certificate of a client: whether a connection may begin with it or without one, and what is passed on of it. */
import type { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { ClientCertificate } from '../http/exchange.ts'
import { verifiesClients, type ClientAuth } from '../model/tls-options.ts'

/** By the TLS socket. */
const CERTIFICATES = new WeakMap<object, ClientCertificate>()

/** Null: its client showed none, or none was requested. */
export function clientCertificateOf(socket: Socket): ClientCertificate | null {
  return CERTIFICATES.get(socket) ?? null
}

/**
 * Why a client that has completed the handshake is refused, or null. Node itself refuses with `require-and-verify`; of the other
 * modes OpenSSL knows only to ask.
 */
export function whyRefused(socket: TLSSocket, { mode }: ClientAuth): Error | null {
  if (mode !== 'require' && mode !== 'verify-if-given') return null
  const isGiven = socket.getPeerX509Certificate() !== undefined
  if (mode === 'require') return isGiven ? null : new Error('the client showed no certificate')
  if (!isGiven || socket.authorized) return null
  return new Error(`the certificate of the client does not verify: ${reasonOf(socket)}`)
}

export function noteClientCertificate(socket: TLSSocket, auth: ClientAuth): void {
  const leaf = socket.getPeerX509Certificate()
  if (leaf === undefined) return
  CERTIFICATES.set(socket, {
    leaf,
    subject: oneLine(leaf.subject),
    isVerified: verifiesClients(auth) && socket.authorized,
  })
}

/** OpenSSL's code, such as DEPTH_ZERO_SELF_SIGNED_CERT. */
export function reasonOf({ authorizationError }: TLSSocket): string {
  return String(authorizationError ?? 'unknown')
}

/** In the form of RFC 4514, the most specific part first: `CN=shop,O=Example`. Node has a line for each part, in reverse. */
function oneLine(name: X509Certificate['subject']): string {
  return name.split('\n').reverse().join(',')
}
