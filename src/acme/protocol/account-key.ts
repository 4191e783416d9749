/** The key of an account, and what its challenges prove with it (RFC 8555 section 8.1, RFC 7638). */
import { createHash, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'

/** P-256. */
export function createAccountKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
}

/** The whole body of the response to http-01, and what the others hash. */
export function keyAuthorization(token: string, accountKey: KeyObject): string {
  return `${token}.${thumbprint(accountKey)}`
}

/** The value of the TXT record `_acme-challenge.NAME`. */
export function dns01Value(keyAuthorization: string): string {
  return createHash('sha256').update(keyAuthorization).digest('base64url')
}

/** How a key signs (RFC 7518 section 3.1). */
interface Algorithm {
  readonly name: string
  readonly hash: string
}

const BY_CURVE: Readonly<Record<string, Algorithm>> = {
  prime256v1: { name: 'ES256', hash: 'sha256' },
  secp384r1: { name: 'ES384', hash: 'sha384' },
  secp521r1: { name: 'ES512', hash: 'sha512' },
}
const RSA: Algorithm = { name: 'RS256', hash: 'sha256' }
const LEAST_RSA_BITS = 2048

/** Throws if a CA would accept no signature of the key. */
export function algorithmOf({
  type,
  asymmetricKeyType,
  asymmetricKeyDetails,
}: KeyObject): Algorithm {
  if (type !== 'private') throw new Error('the key of an ACME account must be a private key')
  const { namedCurve = '', modulusLength = 0 } = asymmetricKeyDetails ?? {}
  if (asymmetricKeyType === 'rsa' && modulusLength >= LEAST_RSA_BITS) return RSA
  const algorithm = asymmetricKeyType === 'ec' ? BY_CURVE[namedCurve] : undefined
  if (algorithm !== undefined) return algorithm
  throw new Error(
    `the key of an ACME account must be P-256, P-384, P-521 or RSA of at least ${LEAST_RSA_BITS} bits`,
  )
}

/** The signature of a JWS, in base64url. */
export function signed(text: string, key: KeyObject): string {
  const { hash } = algorithmOf(key)
  return sign(hash, Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')
}

/** The public key, with the members and the order that a thumbprint is made of (RFC 7638 section 3.2). */
export function publicJwk(key: KeyObject): Readonly<Record<string, string>> {
  const { kty = '', crv = '', x = '', y = '', e = '', n = '' } = exportJwk(key)
  return kty === 'RSA' ? { e, kty, n } : { crv, kty, x, y }
}

function exportJwk(key: KeyObject): Record<string, string> {
  return (key.type === 'public' ? key : createPublicKey(key)).export({ format: 'jwk' }) as Record<
    string,
    string
  >
}

export function thumbprint(key: KeyObject): string {
  return createHash('sha256')
    .update(JSON.stringify(publicJwk(key)))
    .digest('base64url')
}
