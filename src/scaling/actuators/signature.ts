/**
 * The signature of a web-hook, in the form that Stripe uses, so that libraries that verify those can verify these:
 *
 *   Sluice-Signature: t=1700000000,v1=HEX
 *
 * HEX is HMAC-SHA-256 of `1700000000.BODY` with the secret as its key. `t` is in seconds since the epoch: the receiver
 * must refuse a time that is too far from its own clock, so that a request that was overheard cannot be sent again later.
 */
import { createHmac } from 'node:crypto'

export const SIGNATURE_HEADER = 'Sluice-Signature'

export function signatureOf(body: string, secret: string, epochMs: number): string {
  const time = Math.floor(epochMs / 1000)
  const digest = createHmac('sha256', secret).update(`${time}.${body}`).digest('hex')
  return `t=${time},v1=${digest}`
}
