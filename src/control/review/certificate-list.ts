/** Lists the certificates of objects in force. Parsed with each request of the API, which is rare. */
import { X509Certificate } from 'node:crypto'
import { validityOf } from '../../model/certificate.ts'
import { namesOf } from '../../model/certificate-names.ts'
import type { Listener } from '../../model/snapshot.ts'
import type { CertificateEntry } from '../../observe/reports/certificate-list.ts'
import type { InForce } from '../admission/admit.ts'
import { declaredIn } from './certificate-expiry.ts'

/** `inForce` must begin with listeners and hosts. `listeners`: those that serve. */
export function* listCertificates(
  inForce: Iterable<InForce>,
  listeners: Iterable<Listener>,
): Generator<CertificateEntry> {
  const servedBy = new Map<string, string[]>()
  for (const { id, tls } of listeners) {
    for (const { cert } of tls?.certificates ?? []) {
      const ids = servedBy.get(cert)
      if (ids === undefined) servedBy.set(cert, [id])
      else if (!ids.includes(id)) ids.push(id)
    }
  }
  for (const { version, cert } of declaredIn(inForce)) {
    if (version.kind !== 'host' && version.kind !== 'listener') continue
    const leaf = new X509Certificate(cert)
    const { serial, endsAt } = validityOf(cert)
    yield {
      names: [...namesOf(leaf)],
      kind: version.kind,
      id: version.id,
      source: version.source,
      key: version.declared.key,
      issuer: leaf.issuer.split('\n').reverse().join(','),
      serial,
      fingerprint: leaf.fingerprint256,
      keyType: keyTypeOf(leaf),
      validFromAt: leaf.validFromDate.getTime(),
      validToAt: leaf.validToDate.getTime(),
      endsAt,
      listeners: servedBy.get(cert) ?? [],
    }
  }
}

function keyTypeOf({ publicKey }: X509Certificate): string {
  const { asymmetricKeyType: type = 'unknown', asymmetricKeyDetails: details } = publicKey
  const more = details?.modulusLength ?? details?.namedCurve
  return more === undefined ? type : `${type} ${more}`
}
