/** What is found about TLS in force: certificates that expire, and certificates and options that clients do not get. */
import type { InForce } from '../admission/admit.ts'
import { createCertificateConflicts } from './certificate-conflicts.ts'
import { createCertificateExpiry, type CertificateExpiry } from './certificate-expiry.ts'
import { tlsOptionConflicts } from './tls-option-conflicts.ts'

export function createCertificateReview(): CertificateExpiry {
  const expiry = createCertificateExpiry()
  const conflicts = createCertificateConflicts()
  return {
    reports: expiry.reports,
    diagnostics(inForce, now) {
      const having = havingCertificates(inForce)
      return [
        ...expiry.diagnostics(having, now),
        ...conflicts.diagnostics(having, now),
        ...tlsOptionConflicts(having),
      ]
    },
  }
}

/** They come first: the other objects may be many. */
function havingCertificates(inForce: Iterable<InForce>): InForce[] {
  const having: InForce[] = []
  for (const version of inForce) {
    if (version.kind !== 'listener' && version.kind !== 'host') break
    having.push(version)
  }
  return having
}
