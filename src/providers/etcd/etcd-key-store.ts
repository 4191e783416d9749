/** Reads and writes single keys of etcd. */
import { MAX_VALUE_SIZE } from '../registry/text-limit.ts'
import type { EtcdSource } from './source.ts'
import { StoreConflict, StoreRefusal } from '../store.ts'
import type { KeyStore, StoredKey, WriteOptions } from '../store.ts'
import { EtcdFailure } from './failure.ts'
import { listKeys } from './list.ts'
import type { ListedKey } from './list.ts'
import { createMembers } from './members.ts'
import { COMPARE_RESULT, COMPARE_TARGET } from './messages.ts'
import type { Compare, RequestOp } from './messages.ts'
import { leaseGrant, leaseRevoke, leaseTimeToLive, range, txn } from './methods.ts'
import { probe } from './probe.ts'
import { createKeyPrefix, leaseOf, rangeFrom, toEntry } from './key-prefix.ts'
import type { Session } from './session.ts'

type Expected = Pick<WriteOptions, 'expected'>

export async function openEtcdKeyStore(spec: EtcdSource): Promise<KeyStore> {
  const members = createMembers(spec, Math.random)
  const prefix = createKeyPrefix(spec.prefix)
  let session: Session | null = null
  let opening: Promise<Session> | null = null

  async function open(): Promise<Session> {
    const { session: opened } = await members.open((one) => probe(one, prefix))
    return opened
  }

  async function getSession(): Promise<Session> {
    if (session !== null) return session
    opening ??= open().finally(() => (opening = null))
    session = await opening
    return session
  }

  /** A failed session is not used again. A call that had no effect is retried once, with another member. */
  async function attempt<T>(act: (session: Session) => Promise<T>, isAgain = false): Promise<T> {
    const used = await getSession()
    try {
      return await act(used)
    } catch (error) {
      const reason = error instanceof EtcdFailure ? error.reason : null
      if (reason === 'unsent' || reason === 'lost') {
        if (session === used) session = null
        used.close()
      }
      if (reason !== 'unsent' || isAgain) throw error
    }
    return attempt(act, true)
  }

  function toKey(path: string): Buffer {
    return Buffer.from(prefix.text + path)
  }

  async function toStored(used: Session, { entry, lease }: ListedKey): Promise<StoredKey> {
    const { path, text, fault, revision = '' } = entry
    const ttlMs = lease === null ? null : await ttlOf(used, lease)
    const why = text === null ? { fault: fault ?? 'cannot be read' } : {}
    return { path, text: text ?? '', ...why, revision, ttlMs }
  }

  async function change(
    used: Session,
    path: string,
    operation: RequestOp,
    expected: string | null | undefined,
    doing: string,
  ): Promise<{ readonly revision: string; readonly deleted: number }> {
    const key = toKey(path)
    const read = { request_range: { key, keys_only: true } }
    const { succeeded, header, responses } = await used.call(
      txn,
      { compare: conditions(key, expected), success: [operation], failure: [read] },
      doing,
    )
    const [response] = responses
    if (succeeded) {
      const deleted = Number(response?.response_delete_range?.deleted ?? 0)
      return { revision: header.revision, deleted }
    }
    const found = response?.response_range?.kvs[0]?.mod_revision
    throw conflict(prefix.text + path, expected ?? null, found)
  }

  async function put(
    used: Session,
    path: string,
    text: string,
    { ttlMs, expected }: WriteOptions,
  ): Promise<string> {
    const doing = `put "${prefix.text}${path}"`
    const value = Buffer.from(text)
    if (value.length > MAX_VALUE_SIZE) {
      throw new StoreRefusal(`cannot ${doing}: it is longer than 1 MiB`)
    }
    const request = { key: toKey(path), value }
    if (ttlMs === undefined) {
      return (await change(used, path, { request_put: request }, expected, doing)).revision
    }
    const { ID } = await used.call(leaseGrant, { TTL: Math.ceil(ttlMs / 1000) }, doing)
    try {
      const operation = { request_put: { ...request, lease: ID } }
      return (await change(used, path, operation, expected, doing)).revision
    } catch (error) {
      // Without it, the lease would expire by itself.
      if (error instanceof StoreConflict) {
        await used.call(leaseRevoke, { ID }, 'give a lease back').catch(() => {})
      }
      throw error
    }
  }

  await getSession()
  return {
    get: (path) =>
      attempt(async (used) => {
        const { kvs } = await used.call(range, { key: toKey(path) }, `read "${prefix.text}${path}"`)
        const [kv] = kvs
        if (kv === undefined) return null
        return toStored(used, { entry: toEntry(path, kv, prefix), lease: leaseOf(kv) })
      }),
    list: (start = '') =>
      attempt(async (used) => {
        const { keys } = await listKeys(used, rangeFrom(prefix, start))
        return Promise.all(keys.map((key) => toStored(used, key)))
      }),
    put: (path, text, options) => attempt((used) => put(used, path, text, options)),
    delete: (path, { expected }: Expected) =>
      attempt(async (used) => {
        const operation = { request_delete_range: { key: toKey(path) } }
        const doing = `delete "${prefix.text}${path}"`
        return (await change(used, path, operation, expected, doing)).deleted > 0
      }),
    close() {
      session?.close()
      session = null
      return Promise.resolve()
    },
  }
}

function conditions(key: Buffer, expected: string | null | undefined): readonly Compare[] {
  if (expected === undefined) return []
  const { equal } = COMPARE_RESULT
  if (expected === null) {
    return [{ key, result: equal, target: COMPARE_TARGET.createRevision, create_revision: '0' }]
  }
  // A text that is not a revision of etcd never matches.
  const revision = /^[1-9]\d{0,17}$/.test(expected) ? expected : '-1'
  return [{ key, result: equal, target: COMPARE_TARGET.modRevision, mod_revision: revision }]
}

function conflict(key: string, expected: string | null, found: string | undefined): StoreConflict {
  const is = found === undefined ? 'is not there' : `is at revision ${found}`
  const wanted = expected === null ? 'should not be there yet' : `should be at ${expected}`
  return new StoreConflict(`"${key}" ${is} and ${wanted}: read it again`)
}

async function ttlOf(used: Session, lease: string): Promise<number> {
  const { TTL } = await used.call(leaseTimeToLive, { ID: lease }, `read lease ${lease}`)
  // In whole seconds, and 0 in the last one, in which the key is still there.
  return Math.max(1, Number(TTL) * 1000)
}
