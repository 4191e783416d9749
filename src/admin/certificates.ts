/** GET /api/certificates: those of objects in force, and the names whose certificates are ordered. */
import type { AcmeReport } from '../observe/reports/acme-report.ts'
import type { CertificateEntry } from '../observe/reports/certificate-list.ts'
import { toJson } from './json.ts'

export interface CertificatesView {
  readonly certificates: () => Iterable<CertificateEntry>
  readonly acme: () => AcmeReport
}

/** One certificate or name per line. */
export function* writeCertificates({ certificates, acme }: CertificatesView): Generator<string> {
  yield '{"certificates":['
  let separator = '\n'
  for (const entry of certificates()) {
    yield separator + toJson(entry)
    separator = ',\n'
  }
  const { names, orders, storeError } = acme()
  yield `],\n"acme":{"storeError":${toJson(storeError)},"orders":${toJson(orders)},"names":[`
  separator = '\n'
  for (const name of names) {
    yield separator + toJson(name)
    separator = ',\n'
  }
  yield ']}}\n'
}
