/** When certificates in force expire: for metrics, and as warnings from two weeks before the end. */
import { DAY_MS } from '../../model/units.ts'
import { validityOf, type Validity } from '../../model/certificate.ts'
import type { Listener } from '../../model/snapshot.ts'
import type { CertificateReport } from '../../observe/reports/listener-report.ts'
import type { InForce } from '../admission/admit.ts'
import type { Diagnostic } from './diagnostic.ts'

const SOON_MS = 14 * DAY_MS

export interface CertificateExpiry {
  reports(listeners: Iterable<Listener>): CertificateReport[]
  /** `inForce` must begin with listeners and hosts. `now`: ms since the epoch. */
  diagnostics(inForce: Iterable<InForce>, now: number): Diagnostic[]
}

/** Keeps the parsed certificates of the last call, so that each is parsed once. */
export function createCertificateExpiry(): CertificateExpiry {
  let known = new Map<string, Validity>()

  function validitiesOf(texts: Iterable<string>): ReadonlyMap<string, Validity> {
    const now = new Map<string, Validity>()
    for (const cert of texts) now.set(cert, known.get(cert) ?? validityOf(cert))
    known = now
    return now
  }

  return {
    reports(listeners) {
      const all = [...listeners]
      const validities = validitiesOf(
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
    diagnostics(inForce, now) {
      const declared = declaredIn(inForce)
      const validities = validitiesOf(declared.map(({ cert }) => cert))
      return declared.flatMap(({ version, cert, path }) => {
        const validity = validities.get(cert)
        const message = validity === undefined ? null : problemAt(validity, now)
        if (message === null) return []
        return { object: version, level: 'warning', message, path }
      })
    },
  }
}

export interface DeclaredCertificate {
  readonly version: InForce
  readonly cert: string
  readonly path: readonly (string | number)[]
}

/** The certificates by the object that declares them: a listener in force also lists those of hosts. */
export function declaredIn(inForce: Iterable<InForce>): DeclaredCertificate[] {
  const declared: DeclaredCertificate[] = []
  const listeners: Extract<InForce, { kind: 'listener' }>[] = []
  const ofHosts = new Set<string>()
  for (const version of inForce) {
    if (version.kind === 'host') {
      if (version.object.certificate === null) continue
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

function problemAt({ name, beginsAt, endsAt }: Validity, now: number): string | null {
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
