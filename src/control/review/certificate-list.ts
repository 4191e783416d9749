/** Lists the certificates of objects in force, for the API, and for events whenever a listener changes. */
import { X509Certificate } from 'node:crypto'
import { validityOf } from '../../model/certificate.ts'
import { namesOf } from '../../model/certificate-names.ts'
import type { Listener } from '../../model/snapshot.ts'
import type { CertificateEntry } from '../../observe/reports/certificate-list.ts'
import type { InForce } from '../admission/admit.ts'
import { declaredIn } from './certificate-expiry.ts'

type Facts = Omit<CertificateEntry, 'kind' | 'id' | 'source' | 'key' | 'listeners'>

/** `inForce` must begin with listeners and hosts. `listeners`: those that serve. */
export type ListCertificates = (
  inForce: Iterable<InForce>,
  listeners: Iterable<Listener>,
) => readonly CertificateEntry[]

/** Keeps the parsed certificates of the last call, so that each is parsed once. */
export function createCertificateList(): ListCertificates {
  let known = new Map<string, Facts>()

  return (inForce, listeners) => {
    const facts = new Map<string, Facts>()
    const servedBy = idsByCertificate(listeners)
    const entries: CertificateEntry[] = []
    for (const { version, cert } of declaredIn(inForce)) {
      if (version.kind !== 'host' && version.kind !== 'listener') continue
      const of = facts.get(cert) ?? known.get(cert) ?? factsOf(cert)
      facts.set(cert, of)
      entries.push({
        ...of,
        kind: version.kind,
        id: version.id,
        source: version.source,
        key: version.declared.key,
        listeners: servedBy.get(cert) ?? [],
      })
    }
    known = facts
    return entries
  }
}

function idsByCertificate(listeners: Iterable<Listener>): ReadonlyMap<string, readonly string[]> {
  const servedBy = new Map<string, string[]>()
  for (const { id, tls } of listeners) {
    for (const { cert } of tls?.certificates ?? []) {
      const ids = servedBy.get(cert)
      if (ids === undefined) servedBy.set(cert, [id])
      else if (!ids.includes(id)) ids.push(id)
    }
  }
  return servedBy
}

function factsOf(cert: string): Facts {
  const leaf = new X509Certificate(cert)
  const { serial, endsAt } = validityOf(cert)
  return {
    names: [...namesOf(leaf)],
    issuer: leaf.issuer.split('\n').reverse().join(','),
    serial,
    fingerprint: leaf.fingerprint256,
    keyType: keyTypeOf(leaf),
    validFromAt: leaf.validFromDate.getTime(),
    validToAt: leaf.validToDate.getTime(),
    endsAt,
  }
}

function keyTypeOf({ publicKey }: X509Certificate): string {
  const { asymmetricKeyType: type = 'unknown', asymmetricKeyDetails: details } = publicKey
  const more = details?.modulusLength ?? details?.namedCurve
  return more === undefined ? type : `${type} ${more}`
}
