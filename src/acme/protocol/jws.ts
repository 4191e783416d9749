/** Signed requests: JWS in its flattened JSON form (RFC 8555 section 6.2, RFC 7515 section 7.2.2). */
import { createHmac, type KeyObject } from 'node:crypto'
import { algorithmOf, publicJwk, signed } from './account-key.ts'

/** Whose request it is: an account's by its URL, or, before there is one, its key's. */
export interface Signer {
  readonly key: KeyObject
  readonly accountUrl: string | null
}

/** `payload`: undefined reads a resource (POST-as-GET). */
export function signJws(url: string, nonce: string, payload: unknown, signer: Signer): string {
  const { key, accountUrl } = signer
  const { name: alg } = algorithmOf(key)
  const who = accountUrl === null ? { jwk: publicJwk(key) } : { kid: accountUrl }
  const head = encode({ alg, nonce, url, ...who })
  const body = payload === undefined ? '' : encode(payload)
  return JSON.stringify({
    protected: head,
    payload: body,
    signature: signed(`${head}.${body}`, key),
  })
}

/** The account of a customer at the CA vouches for the new one (RFC 8555 section 7.3.4). `hmacKey`: base64url. */
export function externalAccountBinding(
  url: string,
  { keyId, hmacKey }: { readonly keyId: string; readonly hmacKey: string },
  accountKey: KeyObject,
): object {
  const head = encode({ alg: 'HS256', kid: keyId, url })
  const payload = encode(publicJwk(accountKey))
  const signature = createHmac('sha256', Buffer.from(hmacKey, 'base64url'))
    .update(`${head}.${payload}`)
    .digest('base64url')
  return { protected: head, payload, signature }
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
