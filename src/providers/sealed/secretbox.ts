/** NaCl secretbox: XSalsa20-Poly1305, the nonce before the box, as Go's `nacl/secretbox` writes it. */
import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js'
import { bad, good } from '../../model/parsed.ts'
import type { Opened, Opener } from './opener.ts'

export const NONCE_BYTES = 24

/** `key`: 64 hex digits. */
export function createSecretbox(key: string): Opener<Opened> {
  const secret = Buffer.from(key, 'hex')
  return {
    open(sealed) {
      try {
        const box = xsalsa20poly1305(secret, sealed.subarray(0, NONCE_BYTES))
        return good(box.decrypt(sealed.subarray(NONCE_BYTES)))
      } catch {
        // The library's message (too short, invalid tag) does not help a user.
        return bad('was sealed with another key, or is damaged')
      }
    },
  }
}

/** `random`: so many bytes that cannot be guessed. */
export function sealSecretbox(
  key: string,
  plain: Uint8Array,
  random: (bytes: number) => Buffer,
): { readonly nonce: Buffer; readonly box: Buffer } {
  const nonce = random(NONCE_BYTES)
  const box = xsalsa20poly1305(Buffer.from(key, 'hex'), nonce).encrypt(plain)
  return { nonce, box: Buffer.from(box) }
}
