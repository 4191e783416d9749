/** What header fields say of the certificate of a client. */
import type { X509Certificate } from 'node:crypto'

export type CertificateField =
  'Client-Cert' | 'X-Forwarded-Tls-Client-Cert' | 'X-Forwarded-Tls-Client-Cert-Info'

export const CERTIFICATE_FIELDS: Readonly<
  Record<CertificateField, (leaf: X509Certificate) => string>
> = {
  // RFC 9440 section 2.2: a byte sequence of RFC 8941.
  'Client-Cert': ({ raw }) => `:${raw.toString('base64')}:`,
  // The body of the PEM text, on one line.
  'X-Forwarded-Tls-Client-Cert': ({ raw }) => raw.toString('base64'),
  'X-Forwarded-Tls-Client-Cert-Info': describe,
}

/** As Traefik's middleware passTLSClientCert with all of its members, escaped as the value of a query is. */
function describe(leaf: X509Certificate): string {
  const seconds = (date: Date): number => Math.floor(date.getTime() / 1000)
  const parts = [
    `Subject="${nameOf(leaf.subject)}"`,
    `Issuer="${nameOf(leaf.issuer)}"`,
    `SerialNumber="${BigInt(`0x${leaf.serialNumber}`)}"`,
    `NB="${seconds(leaf.validFromDate)}"`,
    `NA="${seconds(leaf.validToDate)}"`,
    `SAN="${alternativeNames(leaf).join(',')}"`,
  ]
  return encodeURIComponent(parts.join(';')).replaceAll('%20', '+')
}

/** Traefik's order. */
const PARTS: readonly (readonly [written: string, name: string])[] = [
  ['DC', 'DC'],
  ['C', 'C'],
  ['ST', 'ST'],
  ['L', 'L'],
  ['O', 'O'],
  ['OU', 'OU'],
  ['SN', 'serialNumber'],
  ['CN', 'CN'],
]

/** `name`: a line for each part, as Node has it. */
function nameOf(name: string): string {
  const lines = name.split('\n').map((line) => {
    const at = line.indexOf('=')
    return [line.slice(0, at), line.slice(at + 1)] as const
  })
  return PARTS.flatMap(([written, part]) =>
    lines.filter(([key]) => key === part).map(([, value]) => `${written}=${value}`),
  ).join(',')
}

function alternativeNames({ subjectAltName = '' }: X509Certificate): readonly string[] {
  return subjectAltName
    .split(', ')
    .filter((part) => part !== '')
    .map((part) => part.slice(part.indexOf(':') + 1))
}
