/** Keys of certificates, and requests to sign them (PKCS #10, RFC 2986). */
import { createPublicKey, generateKeyPair, sign, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { bitString, der, integer, oid, sequence, TAG, tagged } from './der.ts'
import { alternativeNames } from './alternative-names.ts'

export type KeyType = 'p256' | 'p384' | 'rsa2048' | 'rsa4096'

export const KEY_TYPES: readonly KeyType[] = ['p256', 'p384', 'rsa2048', 'rsa4096']

const generate = promisify(generateKeyPair)

/** On libuv's threads: RSA of 4096 bits takes about a second. */
export async function createCertificateKey(type: KeyType): Promise<KeyObject> {
  switch (type) {
    case 'p256':
      return (await generate('ec', { namedCurve: 'P-256' })).privateKey
    case 'p384':
      return (await generate('ec', { namedCurve: 'P-384' })).privateKey
    case 'rsa2048':
      return (await generate('rsa', { modulusLength: 2048 })).privateKey
    case 'rsa4096':
      return (await generate('rsa', { modulusLength: 4096 })).privateKey
    default:
      throw new Error(`${String(type satisfies never)} is no type of key`)
  }
}

const EXTENSION_REQUEST = oid('1.2.840.113549.1.9.14')

/** DER, for DNS names in ASCII, wildcards and IP addresses. The subject is empty: names are read from the extension alone. */
export function createCsr(names: readonly string[], key: KeyObject): Buffer {
  const extensions = sequence(alternativeNames(names))
  const information = sequence(
    integer(Buffer.from([0])),
    sequence(),
    publicKeyInfo(key),
    tagged(0, 'explicit', sequence(EXTENSION_REQUEST, der(TAG.set, extensions))),
  )
  return signedBy(key, information)
}

export function publicKeyInfo(key: KeyObject): Buffer {
  return createPublicKey(key).export({ type: 'spki', format: 'der' })
}

/** `content` with its signature behind it, the form of requests and of certificates. */
export function signedBy(key: KeyObject, content: Buffer): Buffer {
  const { hash, identifier } = signatureOf(key)
  return sequence(content, identifier, bitString(sign(hash, content, key)))
}

interface Signature {
  readonly hash: string
  /** AlgorithmIdentifier */
  readonly identifier: Buffer
}

const ECDSA: Readonly<Record<string, Signature>> = {
  prime256v1: { hash: 'sha256', identifier: sequence(oid('1.2.840.10045.4.3.2')) },
  secp384r1: { hash: 'sha384', identifier: sequence(oid('1.2.840.10045.4.3.3')) },
}
const RSA: Signature = {
  hash: 'sha256',
  identifier: sequence(oid('1.2.840.113549.1.1.11'), der(TAG.null)),
}

export function signatureOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): Signature {
  if (asymmetricKeyType === 'rsa') return RSA
  const curve = asymmetricKeyDetails?.namedCurve ?? ''
  const found = asymmetricKeyType === 'ec' ? ECDSA[curve] : undefined
  if (found !== undefined) return found
  throw new Error('the key of a certificate must be P-256, P-384 or RSA')
}
