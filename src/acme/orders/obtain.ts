/**
 * One certificate for one name, from the lock to the registry:
 *
 *   lock -> look again -> order (kept before anything else) -> prove -> finalize -> download -> keep -> unlock
 *
 * An order that another instance left is carried on with its URL and its key, so that it is not made twice.
 */
import { createPrivateKey } from 'node:crypto'
import type { AcmeIssuer, AcmeKeyType } from '../../model/acme-settings.ts'
import { StoreConflict } from '../../providers/store.ts'
import { AcmeError } from '../protocol/acme-error.ts'
import { certificateId } from '../protocol/certificate-id.ts'
import { createCertificateKey, createCsr } from '../protocol/certificate-request.ts'
import type { Order } from '../protocol/resources.ts'
import type { CertificateRecord, FailureRecord } from '../storage/records.ts'
import type { RecordStore, Stored } from '../storage/record-store.ts'
import type { AcmeWorld } from './world.ts'
import { nextFailure } from './back-off.ts'
import { concernsAll, endPause, pauseIssuer, pauseOf } from './issuer-pause.ts'
import type { Account, Issuers } from './issuers.ts'
import type { Lease, Leases } from './lease.ts'
import type { Prover } from './prove.ts'

export type Outcome =
  | { readonly kind: 'issued'; readonly directory: string }
  /** Another instance is at it, or has done it. */
  | { readonly kind: 'left' }
  /** No issuer issued; each is tried again by its failure in the registry. */
  | { readonly kind: 'failed' }

export interface ObtainOptions {
  readonly store: RecordStore
  readonly leases: Leases
  readonly issuers: Issuers
  readonly prover: Prover
  readonly choices: readonly AcmeIssuer[]
  readonly keyType: AcmeKeyType
  /** Whether the name still needs a certificate, with what is in the registry now. */
  readonly isDue: (name: string, found: CertificateRecord | null) => boolean
  readonly world: AcmeWorld
  readonly onOrder: (directory: string, result: 'issued' | 'failed') => void
  readonly onFailure: () => void
}

const KEEP_ATTEMPTS = 5

export function createObtain(options: ObtainOptions): (name: string) => Promise<Outcome> {
  const { store, leases, issuers, prover, choices, keyType, isDue, world } = options

  async function underLock(name: string, lease: Lease): Promise<Outcome> {
    const before = await store.read('certificates', name)
    if (!isDue(name, before?.record ?? null)) return { kind: 'left' }
    let failures = (await store.read('failures', name))?.record ?? {}
    for (const issuer of inOrder(lease)) {
      const { directory } = issuer
      const isBegun = lease.record().order?.directory === directory
      const failure = failures[directory]
      const isPaused = pauseOf(store, issuer, world.date()) !== null
      const waits = isPaused || (failure !== undefined && failure.retryAt > world.date())
      if (!isBegun && waits) continue
      try {
        const issued = await issuers.with(issuer, (account) =>
          orderFrom(issuer, account, lease, before, failure?.count ?? 0),
        )
        options.onOrder(directory, 'issued')
        await endPause(store, issuer)
        if (isDue(name, issued)) await refuseHaste(name, directory, failures)
        else if (Object.keys(failures).length > 0) await store.remove('failures', name)
        return { kind: 'issued', directory }
      } catch (error) {
        if (!(error instanceof AcmeError) || lease.signal.aborted) throw error
        failures = await keepRefusal(name, issuer, failures, error)
        options.onOrder(directory, 'failed')
        await lease.update({ order: null, challenges: [] })
      }
    }
    return { kind: 'failed' }
  }

  async function keepRefusal(
    name: string,
    issuer: AcmeIssuer,
    failures: FailureRecord,
    error: AcmeError,
  ): Promise<FailureRecord> {
    const refusal = refusalOf(error)
    if (!concernsAll(error, name)) return keepFailure(name, issuer.directory, failures, refusal)
    await pauseIssuer(store, issuer, refusal, world.date(), world.random())
    options.onFailure()
    return failures
  }

  /** The back-off of failures holds for the next order, in all instances. */
  async function refuseHaste(
    name: string,
    directory: string,
    failures: FailureRecord,
  ): Promise<void> {
    const today = new Date(world.date()).toISOString().slice(0, 16).replace('T', ' ')
    const detail = `the certificate that it issued is due again at once; is the clock right, ${today} UTC?`
    const refusal = { type: 'dueAtOnce', detail, retryAfterMs: null }
    await keepFailure(name, directory, failures, refusal)
  }

  async function keepFailure(
    name: string,
    directory: string,
    failures: FailureRecord,
    refusal: ReturnType<typeof refusalOf>,
  ): Promise<FailureRecord> {
    const next = nextFailure(failures[directory], refusal, world.date(), world.random())
    const all = { ...failures, [directory]: next }
    await store.write('failures', name, all, undefined)
    options.onFailure()
    return all
  }

  /** The issuer of an order that was begun goes first. */
  function inOrder(lease: Lease): readonly AcmeIssuer[] {
    const begun = lease.record().order?.directory
    const first = choices.filter(({ directory }) => directory === begun)
    return [...first, ...choices.filter(({ directory }) => directory !== begun)]
  }

  async function orderFrom(
    issuer: AcmeIssuer,
    account: Account,
    lease: Lease,
    before: Stored<CertificateRecord> | null,
    failures: number,
  ): Promise<CertificateRecord> {
    const { client } = account
    const { name, signal } = lease
    const { order, key } = await openOrder(issuer, account, lease, before?.record ?? null)
    if (order.status === 'pending') await prover.prove(account, order, lease, failures)
    lease.check()
    const csr = createCsr([name], createPrivateKey(key))
    const issued = await client.finalize(order, csr, signal)
    const { preferredChain } = issuer
    const request = { key: createPrivateKey(key), preferredChain }
    const cert = await client.certificate(issued, request)
    lease.check()
    const { directory } = issuer
    const record = { cert, key, directory, obtainedAt: world.date(), window: null }
    await keep(record, lease, before?.revision ?? null)
    return record
  }

  /** Another instance may have written the window of the certificate before. */
  async function keep(
    record: CertificateRecord,
    lease: Lease,
    expected: string | null,
  ): Promise<void> {
    const { name } = lease
    for (let revision = expected, attempt = 1; ; attempt++) {
      try {
        await store.write('certificates', name, record, revision)
        return
      } catch (error) {
        if (!(error instanceof StoreConflict) || attempt === KEEP_ATTEMPTS) throw error
      }
      revision = (await store.read('certificates', name))?.revision ?? null
      lease.check()
    }
  }

  async function openOrder(
    { directory, profile }: AcmeIssuer,
    { client }: Account,
    lease: Lease,
    before: CertificateRecord | null,
  ): Promise<{ readonly order: Order; readonly key: string }> {
    const { name } = lease
    const begun = lease.record().order
    if (begun?.directory === directory) {
      await prover.tidy(lease.record().challenges)
      const order = await client.orderAt(begun.url).catch(nullIfGone)
      if (order !== null && order.status !== 'invalid') return { order, key: begun.key }
    }
    const created = await createCertificateKey(keyType)
    const key = created.export({ type: 'pkcs8', format: 'pem' }).toString()
    lease.check()
    const isSame = before?.directory === directory
    const replaces = before === null || !isSame ? null : certificateId(before.cert)
    const order = await client.order({ names: [name], profile, replaces })
    await lease.update({ order: { directory, url: order.url, key }, challenges: [] })
    return { order, key }
  }

  return async (name) => {
    const lease = await leases.take(name)
    if (lease === null) return { kind: 'left' }
    let isDone = false
    try {
      const outcome = await underLock(name, lease)
      isDone = true
      return outcome
    } finally {
      // A record that cannot be deleted now is taken over, and then there is nothing left to do.
      await lease.release(isDone).catch(() => {})
    }
  }
}

/** An order that the issuer does not have any more. */
function nullIfGone(error: unknown): null {
  if (!(error instanceof AcmeError)) throw error
  const isGone = error.status === 404 || ['malformed', 'unauthorized'].includes(error.type)
  if (isGone) return null
  throw error
}

/** In the issuer's own words, with those about single names. */
function refusalOf(error: AcmeError): {
  readonly type: string
  readonly detail: string
  readonly retryAfterMs: number | null
} {
  const parts = error.subproblems.map(({ identifier, detail }) =>
    identifier === null ? detail : `${identifier}: ${detail}`,
  )
  const detail = [error.message, ...parts.filter((one) => !error.message.includes(one))].join('; ')
  return { type: error.type, detail, retryAfterMs: error.retryAfterMs }
}
