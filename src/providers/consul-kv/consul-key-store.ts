/**
 * Reads and writes single keys of Consul. Every write is a transaction, because only that returns the new ModifyIndex, and
 * compares and deletes as one. A key with a time to live belongs to a session that deletes it; Consul ends a session between
 * once and twice its time to live, of 10 s at least.
 */
import { isMap, type JsonMap } from '../../model/parsed.ts'
import { createAgents, probeAgent } from '../consul-api/agents.ts'
import { encodeKey, pathOf, readConsul, READ_TIMEOUT_MS } from '../consul-api/query.ts'
import { HttpFailure } from '../http-client/failure.ts'
import type { HttpClient } from '../http-client/http-client.ts'
import { parseGoDuration } from '../../model/go-duration.ts'
import { MAX_VALUE_SIZE } from '../registry/text-limit.ts'
import { SourceRefused } from '../provider.ts'
import {
  type KeyStore,
  StoreConflict,
  type StoredKey,
  StoreRefusal,
  type WriteOptions,
} from '../store.ts'
import {
  itemsOf,
  listPath,
  MAX_LIST_BYTES,
  readListing,
  rootOf,
  toListed,
  type ListedKey,
} from './keys.ts'
import type { ConsulKvSource } from './source.ts'

type Expected = WriteOptions['expected']

interface Operation extends JsonMap {
  readonly Verb: 'set' | 'lock' | 'get' | 'delete' | 'check-index' | 'check-not-exists'
  readonly Key: string
}

type Outcome =
  | { readonly isApplied: true; readonly revision: string }
  | { readonly isApplied: false; readonly reason: string }

/** Of a transaction that was not applied; the keys and the indexes in it are in its message. */
const CONFLICT = 409
const SMALL_BYTES = 4 << 20

export async function openConsulKeyStore(spec: ConsulKvSource): Promise<KeyStore> {
  const agents = createAgents(spec)
  const root = rootOf(spec.prefix)
  const closing = new AbortController()
  const { signal } = closing
  let opened = open()
  await opened

  async function open(): Promise<HttpClient> {
    return (await agents.open((client) => probeAgent(client, signal), signal)).client
  }

  /** An agent that failed is not asked again; the call itself is not repeated, because it may have had an effect. */
  async function attempt<T>(act: (client: HttpClient) => Promise<T>): Promise<T> {
    const used = opened
    try {
      return await act(await used)
    } catch (error) {
      const isLost = error instanceof HttpFailure && error.status === null
      if (isLost && used === opened) {
        await used.then((client) => client.close()).catch(() => {})
        opened = open()
        opened.catch(() => {})
      }
      throw error
    }
  }

  async function send(
    client: HttpClient,
    path: string,
    body: unknown,
  ): Promise<{ readonly isConflict: boolean; readonly body: unknown }> {
    const response = await client.json(pathOf({ ...spec, stale: false }, path), {
      ...{ signal, method: 'PUT', body: JSON.stringify(body), accept: [200, CONFLICT] },
      ...{ timeoutMs: READ_TIMEOUT_MS, maxBytes: SMALL_BYTES },
    })
    return { isConflict: response.status === CONFLICT, body: response.body }
  }

  async function readKey(client: HttpClient, key: string): Promise<ListedKey | null> {
    const options = { signal, maxBytes: SMALL_BYTES }
    const access = { ...spec, stale: false }
    const read = await readConsul(client, access, `/v1/kv/${encodeKey(key)}`, options)
    const [found] = itemsOf(read.body)
    if (found === undefined) return null
    return toListed(key.slice(root.length), key, String(found['ModifyIndex']), found)
  }

  async function toStored(
    client: HttpClient,
    { entry, session }: ListedKey,
  ): Promise<StoredKey | null> {
    const { path, text, revision = '' } = entry
    if (text === null) return null
    const ttlMs = session === null ? null : await ttlOf(client, session)
    return { path, text, revision, ttlMs }
  }

  /** Consul does not say how much of it is left. */
  async function ttlOf(client: HttpClient, session: string): Promise<number | null> {
    const path = `/v1/session/info/${encodeURIComponent(session)}`
    const { body } = await readConsul(client, spec, path, { signal, maxBytes: SMALL_BYTES })
    for (const { TTL: ttl } of itemsOf(body ?? [])) {
      const ms = typeof ttl === 'string' ? parseGoDuration(ttl) : null
      if (typeof ms === 'number' && ms > 0) return ms
    }
    return null
  }

  async function transact(
    client: HttpClient,
    key: string,
    operations: readonly Operation[],
  ): Promise<Outcome> {
    const { isConflict, body } = await send(
      client,
      '/v1/txn',
      operations.map((one) => ({ KV: one })),
    )
    const map = isMap(body) ? body : {}
    if (isConflict) {
      const reason = reasonOf(map['Errors'])
      // Consul says so with the status of a conflict.
      if (!/permission denied/i.test(reason)) return { isApplied: false, reason }
      throw new SourceRefused(`Consul at ${client.origin} refuses to write "${key}": ${reason}`)
    }
    const results = Array.isArray(map['Results']) ? (map['Results'] as readonly unknown[]) : []
    const last = results.at(-1)
    const written = isMap(last) && isMap(last['KV']) ? last['KV'] : {}
    return { isApplied: true, revision: String(written['ModifyIndex']) }
  }

  async function openSession(client: HttpClient, ttlMs: number): Promise<string> {
    const session = { Name: 'sluice', TTL: `${Math.ceil(ttlMs)}ms`, Behavior: 'delete' }
    const { body } = await send(client, '/v1/session/create', {
      ...{ ...session, LockDelay: '0s' },
      // By default it also ends with the agent that was asked.
      NodeChecks: [],
    })
    const id = isMap(body) ? body['ID'] : null
    if (typeof id !== 'string') throw new Error('Consul responds without the id of a session')
    return id
  }

  async function refuse(
    client: HttpClient,
    key: string,
    expected: Expected,
    reason: string,
  ): Promise<never> {
    if (expected === undefined) throw new Error(`cannot write "${key}": ${reason}`)
    const found = await readKey(client, key)
    const is = found === null ? 'is not there' : `is at revision ${found.entry.revision}`
    const wanted = expected === null ? 'should not be there yet' : `should be at ${expected}`
    throw new StoreConflict(`"${key}" ${is} and ${wanted}: read it again`)
  }

  async function put(path: string, text: string, options: WriteOptions): Promise<string> {
    const { ttlMs, expected } = options
    const key = root + path
    const value = Buffer.from(text)
    if (value.length > MAX_VALUE_SIZE) {
      throw new StoreRefusal(`cannot put "${key}": it is longer than 1 MiB`)
    }
    const write = { Key: key, Value: value.toString('base64') }
    return attempt(async (client) => {
      const session = ttlMs === undefined ? null : await openSession(client, ttlMs)
      const outcome = await transact(client, key, [
        ...conditions(key, expected),
        // Ends the hold of an earlier session, which would delete the key.
        { Verb: 'delete', Key: key },
        session === null ? { Verb: 'set', ...write } : { Verb: 'lock', ...write, Session: session },
      ])
      if (outcome.isApplied) return outcome.revision
      if (session !== null) await send(client, `/v1/session/destroy/${session}`, '').catch(() => {})
      return refuse(client, key, expected, outcome.reason)
    })
  }

  return {
    get: (path) =>
      attempt(async (client) => {
        const found = await readKey(client, root + path)
        if (found === null) return null
        const stored = await toStored(client, found)
        if (stored !== null) return stored
        throw new Error(`cannot read "${root}${path}": it ${found.entry.fault ?? 'has no text'}`)
      }),
    list: (start = '') =>
      attempt(async (client) => {
        const options = { signal, maxBytes: MAX_LIST_BYTES, query: { recurse: '' } }
        const { body } = await readConsul(
          client,
          { ...spec, stale: false },
          listPath(root + start),
          options,
        )
        const { keys } = readListing(body, root, (path) => path !== '', null)
        const stored = await Promise.all([...keys.values()].map((key) => toStored(client, key)))
        return stored.filter((one) => one !== null)
      }),
    put,
    delete: (path, { expected }) =>
      attempt(async (client) => {
        const key = root + path
        const outcome = await transact(client, key, [
          ...conditions(key, expected),
          { Verb: 'get', Key: key },
          { Verb: 'delete', Key: key },
        ])
        if (outcome.isApplied) return true
        const isGone = (await readKey(client, key)) === null
        if (isGone && typeof expected !== 'string') return false
        return refuse(client, key, expected, outcome.reason)
      }),
    async close() {
      closing.abort()
      await opened.then((client) => client.close()).catch(() => {})
    },
  }
}

/** Of the first operation that failed. */
function reasonOf(errors: unknown): string {
  const [first] = Array.isArray(errors) ? (errors as readonly unknown[]) : []
  const what = isMap(first) ? first['What'] : null
  return typeof what === 'string' ? what.slice(0, 200) : 'it gives no reason'
}

function conditions(key: string, expected: Expected): readonly Operation[] {
  if (expected === undefined) return []
  if (expected === null) return [{ Verb: 'check-not-exists', Key: key }]
  // A text that is not an index of Consul never matches.
  const index = /^[1-9]\d{0,14}$/.test(expected) ? Number(expected) : Number.MAX_SAFE_INTEGER
  return [{ Verb: 'check-index', Key: key, Index: index }]
}
