/** The kinds of keys that clients tell apart: of one name, a certificate of each kind may serve. */
import type { X509Certificate } from 'node:crypto'

export type KeyKind = 'p256' | 'p384' | 'p521' | 'ed25519' | 'ed448' | 'rsa'

export function keyKindOf({ publicKey }: X509Certificate): KeyKind {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = publicKey
  if (type === 'ed25519' || type === 'ed448') return type
  if (type !== 'ec') return 'rsa'
  return CURVES[details?.namedCurve ?? ''] ?? 'p256'
}

const CURVES: Readonly<Record<string, KeyKind>> = {
  prime256v1: 'p256',
  secp384r1: 'p384',
  secp521r1: 'p521',
}
