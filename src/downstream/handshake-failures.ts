/** Why TLS handshakes with clients fail, in a line for the log. Clients that only leave are counted, and not described. */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { plainHost } from '../model/ip.ts'
import type { Listener } from '../model/snapshot.ts'
import { reasonOf } from './client-certificate.ts'
import type { Preamble } from './preamble.ts'

/** By OpenSSL's code, without its beginning: what helps, too. */
const REASONS: Readonly<Record<string, string>> = {
  UNSUPPORTED_PROTOCOL: 'it speaks only versions of TLS that are older than minVersion',
  VERSION_TOO_LOW: 'it speaks only versions of TLS that are older than minVersion',
  NO_SHARED_CIPHER:
    'it supports none of the cipher suites, or none of the kinds of keys of the certificates',
  NO_SUITABLE_SIGNATURE_ALGORITHM: 'it supports none of the kinds of keys of the certificates',
  NO_SUITABLE_KEY_SHARE: 'it supports none of the curves',
  NO_SUITABLE_GROUPS: 'it supports none of the curves',
  NO_SHARED_GROUPS: 'it supports none of the curves',
  NO_APPLICATION_PROTOCOL: 'it offers none of the protocols of this listener (ALPN)',
  PEER_DID_NOT_RETURN_A_CERTIFICATE: 'it showed no certificate, which clientAuth requires',
  TLSV1_ALERT_UNKNOWN_CA: 'it does not know the authority of the certificate',
  'SSL/TLS_ALERT_BAD_CERTIFICATE': 'it does not accept the certificate',
  'SSL/TLS_ALERT_CERTIFICATE_EXPIRED': 'the certificate has expired for it',
  'SSL/TLS_ALERT_CERTIFICATE_UNKNOWN': 'it does not accept the certificate',
  WRONG_VERSION_NUMBER: 'it does not speak TLS',
  HTTP_REQUEST: 'it does not speak TLS',
}

const NO_CERTIFICATE = 'there is no certificate yet'

/** Null: there is nothing to say. `tls`: the TLS socket, not destroyed yet. */
export function describeHandshake(
  listener: Listener,
  tls: Socket,
  error: NodeJS.ErrnoException,
  client: string,
): string | null {
  const isBare = listener.tls?.certificates.length === 0
  const why = isBare ? NO_CERTIFICATE : reasonFor(tls as TLSSocket, error)
  return why === null ? null : describe(listener, client, why)
}

export function describeUnrecognized(listener: Listener, name: string, client: string): string {
  const what = name === '' ? 'no name' : `the name ${JSON.stringify(name.slice(0, 253))}`
  return describe(
    listener,
    client,
    `it requested ${what}, and strictSni refuses what no certificate covers`,
  )
}

function describe({ id }: Listener, client: string, why: string): string {
  return `listener "${id}" ended a TLS handshake with ${client}: ${why}`
}

function reasonFor(tls: TLSSocket, error: NodeJS.ErrnoException): string | null {
  const { code = '' } = error
  if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return 'it took longer than timeouts.head'
  // Node closes the connection, and reports that it is closed.
  if (code === 'ECONNRESET' && tls.authorizationError)
    return `its certificate does not verify against clientAuth.ca: ${reasonOf(tls)}`
  if (code === 'ECONNRESET' || code === 'EPIPE') return null
  if (code === '') return error.message
  return REASONS[code.replace(/^ERR_SSL_/, '')] ?? code
}

/** The address of the client: of a TLS socket, or of the socket below it. */
export function clientOf(socket: Socket, preamble: Preamble | null): string {
  const below = '_parent' in socket ? (socket._parent as Socket | null) : null
  const address = socket.remoteAddress ?? below?.remoteAddress ?? 'an unknown client'
  return preamble?.proxied?.source?.host ?? plainHost(address)
}
