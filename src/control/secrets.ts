/** What may be shown of an object: private keys stay where they are used. */
import type { InForce } from './admit.ts'

const hidden = '(hidden)'

export function withoutSecrets(version: InForce): InForce {
  if (version.kind !== 'listener' || version.object.tls === null) return version
  const certificates = version.object.tls.certificates.map(({ cert }) => ({ cert, key: hidden }))
  return { ...version, object: { ...version.object, tls: { certificates } } }
}
