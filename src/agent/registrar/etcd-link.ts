/**
 * etcd, version 3: all keys of a registrar belong to one lease, which outlives a connection. When the lease is gone, its keys are
 * too, and the next write gets another one. The lease of a key says who has written it.
 */
import { createMembers } from '../../providers/etcd/members.ts'
import { EtcdFailure } from '../../providers/etcd/failure.ts'
import { COMPARE_RESULT, COMPARE_TARGET, type Compare } from '../../providers/etcd/messages.ts'
import {
  leaseGrant,
  leaseKeepAlive,
  leaseRevoke,
  range,
  txn,
} from '../../providers/etcd/methods.ts'
import type { Session, Stream } from '../../providers/etcd/session.ts'
import type { EtcdAccess } from '../../providers/etcd/source.ts'
import { SourceRefused } from '../../providers/provider.ts'
import {
  EntryRefused,
  orRefusal,
  type Entry,
  type EntryStatus,
  type Link,
  type LinkListener,
  type OpenLink,
} from './link.ts'

/** Of each call: two of them are less than the 3 s in which everything is there again. */
const CALL_MS = 1_200
/** etcd takes 128 operations in a transaction by default. */
const MAX_OPERATIONS = 100
const MAX_TRIES = 3
/** Why a full etcd takes no write, or this one is too large for it; leases are renewed all the same. */
const NOT_TAKEN = /database space exceeded|request is too large/
/** Leases of this process whose keys may still be there. */
const MAX_LEASES = 16

type Beats = Stream<{ readonly ID: string }, { readonly TTL: string }>

/** What outlives a link. */
interface Leases {
  current: string | null
  /** With earlier ones, the newest last. */
  readonly own: string[]
}

export function createEtcdLinks(spec: EtcdAccess, ttlMs: number): OpenLink {
  const members = createMembers(spec, Math.random, CALL_MS)
  const leases: Leases = { current: null, own: [] }

  return async (listener, signal) => {
    const begin = async (session: Session): Promise<Lease> => {
      const lease = await openLease(session, leases, ttlMs, listener)
      // Also shows that the member has a quorum.
      await lease.current()
      return lease
    }
    const { session, result } = await members.open(begin, signal)
    return createLink(session, result)
  }
}

interface Lease {
  /** A lease that is alive; granted if there is none. */
  current(): Promise<string>
  renew(): Promise<void>
  revoke(): Promise<void>
  /** Of what another lease holds. */
  statusOf(lease: string): Exclude<EntryStatus, 'absent'>
}

async function openLease(
  session: Session,
  leases: Leases,
  ttlMs: number,
  { onLost }: LinkListener,
): Promise<Lease> {
  /** For renewals under way; etcd responds in their order. */
  const waiting: PromiseWithResolvers<number>[] = []
  let failure: Error | null = null
  let granting: Promise<string> | null = null
  let isRenewed = false

  const beats: Beats = await session.openStream(leaseKeepAlive)
  beats.on('data', ({ TTL }: { readonly TTL: string }) => waiting.shift()?.resolve(Number(TTL)))
  beats.on('error', (cause: Error) => lose(cause.message))
  beats.on('end', () => lose('the stream has ended'))

  function lose(reason: string): void {
    if (failure !== null) return
    failure = new Error(`etcd ${session.endpoint}: cannot renew the lease: ${reason}`)
    for (const one of waiting) one.reject(failure)
    onLost(failure)
  }

  async function grant(): Promise<string> {
    const { ID } = await session.call(leaseGrant, { TTL: Math.ceil(ttlMs / 1000) }, 'get a lease')
    leases.current = ID
    leases.own.push(ID)
    if (leases.own.length > MAX_LEASES) leases.own.shift()
    isRenewed = true
    return ID
  }

  async function renew(): Promise<void> {
    const ID = leases.current
    if (ID === null) return
    if (failure !== null) throw failure
    const renewal = Promise.withResolvers<number>()
    waiting.push(renewal)
    const timer = setTimeout(() => lose('no response in time'), CALL_MS)
    beats.write({ ID })
    const ttl = await renewal.promise.finally(() => clearTimeout(timer))
    if (ttl > 0) isRenewed = true
    else if (leases.current === ID) leases.current = null
  }

  return {
    async current() {
      // Of an earlier link, it may have expired meanwhile.
      if (!isRenewed) await renew()
      if (leases.current !== null) return leases.current
      granting ??= grant().finally(() => (granting = null))
      return granting
    },
    renew,
    async revoke() {
      const ID = leases.current
      leases.current = null
      if (ID !== null) await session.call(leaseRevoke, { ID }, 'give the lease back')
    },
    statusOf(lease) {
      if (lease === leases.current) return 'current'
      return leases.own.includes(lease) ? 'stale' : 'foreign'
    },
  }
}

function createLink(session: Session, lease: Lease): Link {
  async function write({ key: name, text }: Entry, compare: readonly Compare[]): Promise<boolean> {
    const [key, value] = [Buffer.from(name), Buffer.from(text)]
    const request_put = { key, value, lease: await lease.current() }
    const operations = { compare, success: [{ request_put }], failure: [] }
    try {
      return (await session.call(txn, operations, `register "${name}"`)).succeeded
    } catch (cause) {
      if (!(cause instanceof EtcdFailure && NOT_TAKEN.test(cause.message))) throw cause
      throw new EntryRefused(cause.message, { cause })
    }
  }

  async function look(name: string): Promise<{ lease: string; mod_revision: string } | null> {
    const request = { key: Buffer.from(name), keys_only: true }
    const { kvs } = await session.call(range, request, `read "${name}"`)
    return kvs[0] ?? null
  }

  async function statusOf({ key }: Entry): Promise<EntryStatus> {
    const found = await look(key)
    return found === null ? 'absent' : lease.statusOf(found.lease)
  }

  async function statuses(entries: readonly Entry[]): Promise<readonly EntryStatus[]> {
    const found: EntryStatus[] = []
    for (let at = 0; at < entries.length; at += MAX_OPERATIONS) {
      const success = entries.slice(at, at + MAX_OPERATIONS).map(({ key }) => ({
        request_range: { key: Buffer.from(key), keys_only: true },
      }))
      const { responses } = await session.call(
        txn,
        { compare: [], success, failure: [] },
        'look for what is registered',
      )
      for (const { response_range } of responses) {
        const [one] = response_range?.kvs ?? []
        found.push(one === undefined ? 'absent' : lease.statusOf(one.lease))
      }
    }
    return found
  }

  return {
    isRemovedAtEnd: true,
    async put(entry, mode) {
      if (mode === 'overwrite') return write(entry, [])
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        const found = await look(entry.key)
        if (found !== null && lease.statusOf(found.lease) === 'foreign') return false
        if (await write(entry, [unchanged(entry.key, found)])) return true
      }
      return false
    },
    async remove({ key: name }) {
      const found = await look(name)
      if (found === null || lease.statusOf(found.lease) === 'foreign') return
      const request_delete_range = { key: Buffer.from(name) }
      await session.call(
        txn,
        {
          ...{ compare: [unchanged(name, found)], success: [{ request_delete_range }] },
          failure: [],
        },
        `remove "${name}"`,
      )
    },
    async beat(entries) {
      await lease.renew()
      try {
        return await statuses(entries)
      } catch (error) {
        if (!(error instanceof SourceRefused)) throw error
        // A transaction is refused as a whole.
        return Promise.all(entries.map((entry) => orRefusal(statusOf(entry))))
      }
    },
    end: () => lease.revoke(),
    close: () => session.close(),
  }
}

function unchanged(name: string, found: { readonly mod_revision: string } | null): Compare {
  const key = Buffer.from(name)
  const { equal: result } = COMPARE_RESULT
  if (found === null) {
    return { key, result, target: COMPARE_TARGET.createRevision, create_revision: '0' }
  }
  return { key, result, target: COMPARE_TARGET.modRevision, mod_revision: found.mod_revision }
}
