/** When a certificate is renewed. All times are ms since the epoch. */
import { hash, X509Certificate } from 'node:crypto'
import { DAY_MS } from '../../model/units.ts'
import type { RenewalWindow } from '../storage/records.ts'

export interface Lifetime {
  readonly beginsAt: number
  readonly endsAt: number
  readonly serial: string
  readonly issuer: string
}

/** A certificate shorter than this is renewed at half of its lifetime. */
const SHORT_MS = 10 * DAY_MS
/** The last part of the lifetime, in which it is renewed in any case. */
const LAST_PART = 1 / 20
/** The first part of the lifetime, at most a day, in which no window renews it. */
const FIRST_PART = 1 / 100
/** Certificates of one day are not all renewed at one time. */
const SPREAD = 1 / 20

/** Of the first certificate of a PEM text. */
export function lifetimeOf(cert: string): Lifetime {
  const { validFromDate, validToDate, serialNumber, issuer } = new X509Certificate(cert)
  return {
    beginsAt: validFromDate.getTime(),
    endsAt: validToDate.getTime(),
    serial: serialNumber.toLowerCase(),
    issuer: nameOf(issuer),
  }
}

/**
 * The same for all instances: the spread comes from the certificate. `share`: of the settings; null: by the length. `obtainedAt`:
 * when it was issued. An issuer whose windows are always in the past, or at once after the issue, gets no orders without end.
 */
export function renewalMoment(
  { beginsAt, endsAt, serial }: Lifetime,
  window: RenewalWindow | null,
  share: number | null,
  obtainedAt: number,
): number {
  const lengthMs = endsAt - beginsAt
  const last = endsAt - lengthMs * LAST_PART
  if (window !== null) {
    const first = obtainedAt + Math.min(lengthMs * FIRST_PART, DAY_MS)
    return Math.min(Math.max(window.moment, first), last)
  }
  const part = share ?? (lengthMs < SHORT_MS ? 1 / 2 : 2 / 3)
  const earlier = lengthMs * SPREAD * fractionOf(serial)
  return Math.round(Math.min(beginsAt + lengthMs * part - earlier, last))
}

/** `chance`: from 0 up to 1. A window that was known keeps its moment. Null: the window makes no sense (RFC 9773 section 4.2). */
export function planWindow(
  said: { readonly start: number; readonly end: number; readonly explanationUrl: string | null },
  before: RenewalWindow | null,
  lookAt: number,
  chance: number,
): RenewalWindow | null {
  const { start, end, explanationUrl: explanation } = said
  if (end <= start) return null
  const isKnown = before?.start === start && before.end === end
  const moment = isKnown ? before.moment : Math.round(start + (end - start) * chance)
  return { start, end, moment, explanation, lookAt }
}

/** From 0 up to 1. */
function fractionOf(serial: string): number {
  return Number.parseInt(hash('sha256', serial, 'hex').slice(0, 8), 16) / 2 ** 32
}

function nameOf(issuer: string): string {
  const [, common] = /(?:^|\n)CN=(.+)/.exec(issuer) ?? []
  const [, organization] = /(?:^|\n)O=(.+)/.exec(issuer) ?? []
  return common ?? organization ?? issuer.replaceAll('\n', ', ')
}
