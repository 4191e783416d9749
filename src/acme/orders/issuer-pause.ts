/**
 * An issuer that limits all orders of its account, or of this address: it is left alone for every name, and no name counts the
 * refusal as its own. The pause is kept among the failures of the registry, under the name of the account.
 */
import type { AcmeIssuer } from '../../model/acme-settings.ts'
import type { AcmeError } from '../protocol/acme-error.ts'
import { accountName, type Failure } from '../storage/records.ts'
import type { RecordStore } from '../storage/record-store.ts'
import { nextFailure, type Refusal } from './back-off.ts'

/** The kind of a limit is read from the text of the refusal: if that is misread, other names wait no longer than this. */
const LONGEST_MS = 3_600_000
const UNAVAILABLE = 503

/**
 * Whether a refusal of an order for this name concerns all others, too. Limits of one name or domain have it in their words, or
 * those of Let's Encrypt about a set of names; RFC 8555 has one type for all limits.
 */
export function concernsAll(error: AcmeError, name: string): boolean {
  const isLimit = error.type === 'rateLimited'
  const isAway = error.status === UNAVAILABLE && error.retryAfterMs !== null
  if (!isLimit && !isAway) return false
  if (error.subproblems.some(({ identifier }) => identifier !== null)) return false
  const detail = error.detail.toLowerCase()
  return (
    !/\bexact (?:same )?set\b/.test(detail) &&
    !domainsAbove(name).some((one) => detail.includes(one))
  )
}

/** `*.a.example.net`: a.example.net and example.net. */
function domainsAbove(name: string): readonly string[] {
  const labels = name.replace(/^\*\./, '').split('.')
  const last = Math.max(1, labels.length - 1)
  return labels.slice(0, last).map((_, at) => labels.slice(at).join('.'))
}

/** Null: the issuer may be asked. */
export function pauseOf(store: RecordStore, issuer: AcmeIssuer, now: number): Failure | null {
  const pause = store.all('failures').get(accountName(issuer))?.record[issuer.directory]
  return pause !== undefined && pause.retryAt > now ? pause : null
}

/** Orders that are under way when the limit is reached are refused together, which is one refusal. */
export async function pauseIssuer(
  store: RecordStore,
  issuer: AcmeIssuer,
  refusal: Refusal,
  now: number,
  chance: number,
): Promise<void> {
  const { directory } = issuer
  const name = accountName(issuer)
  const before = (await store.read('failures', name))?.record[directory]
  const isPaused = before !== undefined && before.retryAt > now
  const next = nextFailure(isPaused ? undefined : before, refusal, now, chance)
  const retryAt = Math.min(next.retryAt, now + LONGEST_MS)
  const failure = isPaused
    ? { ...next, count: before.count, retryAt: Math.max(before.retryAt, retryAt) }
    : { ...next, retryAt }
  await store.write('failures', name, { [directory]: failure }, undefined)
}

/** An order went through. */
export async function endPause(store: RecordStore, issuer: AcmeIssuer): Promise<void> {
  const name = accountName(issuer)
  if (store.all('failures').has(name)) await store.remove('failures', name)
}
