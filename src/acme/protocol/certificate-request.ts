/** Keys of certificates, and requests to sign them (PKCS #10, RFC 2986). */
import type { KeyObject } from 'node:crypto'

export type KeyType = 'p256' | 'p384' | 'rsa2048' | 'rsa4096'

export async function createCertificateKey(_type: KeyType): Promise<KeyObject> {
  throw new Error('not written yet')
}

/** DER, for DNS names in ASCII, wildcards and IP addresses. The subject is empty. */
export function createCsr(_names: readonly string[], _key: KeyObject): Buffer {
  throw new Error('not written yet')
}
