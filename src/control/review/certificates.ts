/** When certificates in force end: for the metrics, and as warnings from two weeks before on. */
import { validityOf, type Validity } from '../../schema/certificate.ts'
import type { Listener } from '../../model/snapshot.ts'
import type { CertificateReport } from '../../observe/reports/certificate-report.ts'
import type { InForce } from '../admission/admit.ts'
import type { Finding } from './finding.ts'

export const DAY_MS = 86_400_000
const SOON_MS = 14 * DAY_MS

export interface CertificateDates {
  reports(listeners: Iterable<Listener>): CertificateReport[]
  /** Of the objects that declare them; `inForce` begins with listeners and hosts. */
  findings(inForce: Iterable<InForce>, now: number): Finding[]
}

/** Each certificate is parsed once, for as long as it is asked for. */
export function createCertificateDates(): CertificateDates {
  let known = new Map<string, Validity>()

  function look(texts: Iterable<string>): ReadonlyMap<string, Validity> {
    const now = new Map<string, Validity>()
    for (const cert of texts) now.set(cert, known.get(cert) ?? validityOf(cert))
    known = now
    return now
  }

  return {
    reports(listeners) {
      const all = [...listeners]
      const validities = look(
        all.flatMap(({ tls }) => tls?.certificates ?? []).map(({ cert }) => cert),
      )
      const reports = new Map<string, CertificateReport>()
      for (const { id, tls } of all) {
        for (const { cert } of tls?.certificates ?? []) {
          const validity = validities.get(cert)
          if (validity === undefined) continue
          const { name, serial, endsAt } = validity
          reports.set(JSON.stringify([id, name, serial]), { listener: id, name, serial, endsAt })
        }
      }
      return [...reports.values()]
    },
    findings(inForce, now) {
      const declared = declaredIn(inForce)
      const validities = look(declared.map(({ cert }) => cert))
      return declared.flatMap(({ version, cert, path }) => {
        const validity = validities.get(cert)
        const message = validity === undefined ? null : wrongNow(validity, now)
        if (message === null) return []
        return { of: version, level: 'warning', message, path }
      })
    },
  }
}

interface Declared {
  readonly version: InForce
  readonly cert: string
  readonly path: readonly (string | number)[]
}

/** A listener in force has the certificates of hosts behind its own. */
function declaredIn(inForce: Iterable<InForce>): Declared[] {
  const declared: Declared[] = []
  const listeners: Extract<InForce, { kind: 'listener' }>[] = []
  const ofHosts = new Set<string>()
  for (const version of inForce) {
    if (version.kind === 'host') {
      const { cert } = version.object.certificate
      ofHosts.add(cert)
      declared.push({ version, cert, path: [] })
    } else if (version.kind === 'listener') listeners.push(version)
    else break
  }
  for (const version of listeners) {
    for (const [at, { cert }] of (version.object.tls?.certificates ?? []).entries()) {
      if (ofHosts.has(cert)) continue
      declared.push({ version, cert, path: ['tls', 'certificates', at] })
    }
  }
  return declared
}

function wrongNow({ name, beginsAt, endsAt }: Validity, now: number): string | null {
  const left = endsAt - now
  const what = `the certificate for ${name}, or one that it is sent with,`
  if (left <= 0) return `${what} ended on ${dayOf(endsAt)}; renew it`
  if (left <= SOON_MS) {
    const days = Math.floor(left / DAY_MS)
    const words = days === 0 ? 'within a day' : days === 1 ? 'in 1 day' : `in ${days} days`
    return `${what} ends ${words}, on ${dayOf(endsAt)}; renew it`
  }
  return beginsAt > now ? `${what} is not valid before ${dayOf(beginsAt)}` : null
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}
