/** The key of an account, and what its challenges prove with it (RFC 8555 section 8.1, RFC 7638). */
import type { KeyObject } from 'node:crypto'

/** P-256. */
export function createAccountKey(): KeyObject {
  throw new Error('not written yet')
}

/** The whole body of the response to http-01, and what the others hash. */
export function keyAuthorization(_token: string, _accountKey: KeyObject): string {
  throw new Error('not written yet')
}

/** The value of the TXT record `_acme-challenge.NAME`. */
export function dns01Value(_keyAuthorization: string): string {
  throw new Error('not written yet')
}
