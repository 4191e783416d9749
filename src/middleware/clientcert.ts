/**
 * The certificate of the client (mutual TLS): `clientcert: { required: true, forward: [Client-Cert] }`. Whether clients are asked for
 * one is decided where TLS ends (`clientAuth`); this decides what a route makes of it.
 */
import { errorResponse } from '../http/message/local-response.ts'
import { ExchangeError } from '../http/message/errors.ts'
import type { ClientCertificate } from '../http/exchange.ts'
import { withoutFields } from '../http/message/fields.ts'
import { CERTIFICATE_FIELDS, type CertificateField } from './certificate-fields.ts'
import type { MiddlewareKind } from './middleware.ts'

interface ClientCertOptions {
  required: boolean
  forward: CertificateField[]
}

const NAMES = Object.keys(CERTIFICATE_FIELDS) as [CertificateField, ...CertificateField[]]

export const clientcert: MiddlewareKind<ClientCertOptions> = {
  kind: 'clientcert',
  options({ z, strict }) {
    return strict(
      {
        required: z.boolean().default(false).meta({
          description: 'Respond with 403 unless the client showed a certificate that verifies.',
        }),
        forward: z.array(z.enum(NAMES)).default([]).meta({
          description:
            'Headers that pass it on to the server: Client-Cert (RFC 9440), X-Forwarded-Tls-Client-Cert and X-Forwarded-Tls-Client-Cert-Info (as Traefik writes them). Those of the client are removed in any case.',
        }),
      },
      'What a route makes of the certificate of the client.',
    )
  },
  compile({ required, forward }) {
    const gone = new Set(forward.map((name) => name.toLowerCase()))
    /** A client sends many requests with one certificate. */
    const known = new WeakMap<ClientCertificate, string>()

    function linesFor(certificate: ClientCertificate): string {
      let lines = known.get(certificate)
      if (lines === undefined) {
        const { leaf } = certificate
        lines = forward.map((name) => `${name}: ${CERTIFICATE_FIELDS[name](leaf)}\r\n`).join('')
        known.set(certificate, lines)
      }
      return lines
    }

    return {
      onRequest(exchange) {
        const certificate = exchange.client.clientPeer.certificate ?? null
        if (required && certificate?.isVerified !== true) {
          const message = 'this route requires a certificate of the client that verifies'
          return errorResponse(new ExchangeError('CLIENT_CERTIFICATE_REQUIRED', message))
        }
        if (gone.size === 0) return null
        // Of a trusted peer.
        exchange.added = withoutFields(exchange.added, gone)
        if (certificate !== null) exchange.added += linesFor(certificate)
        return null
      },
    }
  },
}
