/** The certificate that answers tls-alpn-01 (RFC 8737 section 3; RFC 8738 for IP addresses). */
import type { Certificate } from '../../model/snapshot.ts'

export const ACME_TLS_PROTOCOL = 'acme-tls/1'

/** Self-signed, with a key of its own, for a few days. `now`: ms since the epoch. */
export function alpnCertificate(
  _name: string,
  _keyAuthorization: string,
  _now: number,
): Certificate {
  throw new Error('not written yet')
}
