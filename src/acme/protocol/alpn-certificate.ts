/** The certificate that answers tls-alpn-01 (RFC 8737 section 3; RFC 8738 for IP addresses). */
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import type { Certificate } from '../../model/snapshot.ts'
import { alternativeNames } from './alternative-names.ts'
import { publicKeyInfo, signatureOf, signedBy } from './certificate-request.ts'
import { der, integer, oid, sequence, TAG, tagged, time } from './der.ts'

const DAY_MS = 86_400_000
const VERSION_3 = tagged(0, 'explicit', integer(Buffer.from([2])))
const COMMON_NAME = oid('2.5.4.3')
const ACME_IDENTIFIER = oid('1.3.6.1.5.5.7.1.31')
const CRITICAL = der(TAG.boolean, Buffer.from([0xff]))

/** Self-signed, with a key of its own, for a week. `now`: ms since the epoch. */
export function alpnCertificate(name: string, keyAuthorization: string, now: number): Certificate {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const digest = createHash('sha256').update(keyAuthorization).digest()
  const subject = sequence(
    der(TAG.set, sequence(COMMON_NAME, der(TAG.utf8, Buffer.from('ACME challenge')))),
  )
  const identifier = der(TAG.octetString, der(TAG.octetString, digest))
  const content = sequence(
    VERSION_3,
    integer(randomBytes(16)),
    signatureOf(privateKey).identifier,
    subject,
    // The clock of the CA may be behind.
    sequence(time(now - DAY_MS), time(now + 7 * DAY_MS)),
    subject,
    publicKeyInfo(privateKey),
    tagged(
      3,
      'explicit',
      sequence(alternativeNames([name]), sequence(ACME_IDENTIFIER, CRITICAL, identifier)),
    ),
  )
  return {
    cert: pem('CERTIFICATE', signedBy(privateKey, content)),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}
