/** Objects of the registry that the admin writes: /api/objects. */
import { setTimeout as pause } from 'node:timers/promises'
import type { ObjectKind } from '../model/names.ts'
import { SluiceError } from './sluice-error.ts'
import { type CallOptions, pathOf, type Query, toSignal, type Transport } from './transport.ts'

export type { ObjectKind }

export interface ObjectStatus {
  /** `shadowed`: an earlier source declares it, too; `pending`: it has not been read yet, or is held back. */
  readonly state: 'in-force' | 'set-aside' | 'shadowed' | 'pending'
  readonly reasons: readonly string[]
  /** The version in force, which may be an older one. */
  readonly inForce: {
    readonly revision: string
    readonly since: string
    readonly source: string
  } | null
}

export interface StoredObject<Value = unknown> {
  readonly kind: ObjectKind
  /** Of a server `BACKEND/SERVER`, of a middleware `FRONTEND/MIDDLEWARE`. */
  readonly id: string
  /** In the form of its source; absent if there is a fault. Secrets are `(hidden)`. */
  readonly value?: Value
  /** Why its text cannot be read. */
  readonly fault?: string
  readonly revision: string
  /** What is left of its time to live; null: it does not expire. */
  readonly ttlMs: number | null
  readonly status: ObjectStatus
}

export interface ObjectList {
  /** The source that is written. */
  readonly source: string
  readonly layout: 'sluice' | 'vulcand'
  readonly objects: readonly StoredObject[]
}

export interface Change {
  /** `timeouts.head`; empty: the whole object. */
  readonly path: string
  /** As JSON; null: it was, or is, not there. */
  readonly from: string | null
  readonly to: string | null
}

export interface WriteResult {
  readonly kind: ObjectKind
  readonly id: string
  readonly outcome: 'created' | 'changed' | 'unchanged'
  readonly dryRun: boolean
  /** Null: of a dry run that would create it. */
  readonly revision: string | null
  readonly changes: readonly Change[]
  /** With `wait`; null: it was deleted meanwhile. */
  readonly status?: ObjectStatus | null
}

export interface DeleteResult {
  readonly kind: ObjectKind
  readonly id: string
  readonly outcome: 'deleted'
  readonly dryRun: boolean
}

export interface DeleteOptions extends CallOptions {
  /** A revision: it is written only if the object has it. `*`: only if it is there. */
  readonly ifMatch?: string
  /** Says what would happen, and writes nothing. */
  readonly dryRun?: boolean
}

export interface WriteOptions extends DeleteOptions {
  /** `*`: it is written only if it is not there. */
  readonly ifNoneMatch?: string
  /** It expires unless it is written again: ms, or text such as `10s`. */
  readonly ttl?: number | string
  /** Responds once it is in force or set aside, after at most this time: ms, or text such as `2s`; 30 s at most. */
  readonly wait?: number | string
}

export interface ReadOptions extends CallOptions {
  /** With private keys; needs a token or certificate of role write. */
  readonly secrets?: boolean
}

export interface Objects {
  /** Of a kind, or of all. */
  list(kind?: ObjectKind | null, options?: ReadOptions): Promise<ObjectList>
  /** Rejects with status 404 if it is not there. */
  get(kind: ObjectKind, id: string, options?: ReadOptions): Promise<StoredObject>
  /** Null: it is not there. */
  find(kind: ObjectKind, id: string, options?: ReadOptions): Promise<StoredObject | null>
  /** Creates or replaces it. */
  put(kind: ObjectKind, id: string, value: unknown, options?: WriteOptions): Promise<WriteResult>
  /** A JSON merge patch: members replace those of the object, null removes. */
  patch(kind: ObjectKind, id: string, patch: unknown, options?: WriteOptions): Promise<WriteResult>
  delete(kind: ObjectKind, id: string, options?: DeleteOptions): Promise<DeleteResult>
  status(kind: ObjectKind, id: string, options?: CallOptions): Promise<ObjectStatus>
  /** The status once it is not pending. Without a signal, it waits for as long as that takes. */
  wait(kind: ObjectKind, id: string, options?: CallOptions): Promise<ObjectStatus>
}

/** What the server waits at most. */
const MAX_WAIT_MS = 30_000
const LOOK_AFTER_MS = 10
const MAX_PAUSE_MS = 500

export function createObjects(transport: Transport, timeoutMs: number): Objects {
  async function call<T>(
    method: string,
    path: string,
    options: WriteOptions & ReadOptions,
    body?: unknown,
  ): Promise<T> {
    const { ifMatch, ifNoneMatch, dryRun, ttl, wait, secrets } = options
    const query: Query = { dryRun, ttl: toDuration(ttl), wait: toDuration(wait), secrets }
    const response = await transport.request({
      ...{ method, path, query, body },
      headers: { 'If-Match': toETag(ifMatch), 'If-None-Match': toETag(ifNoneMatch) },
      ...toSignal(options),
      ...(wait === undefined ? {} : { timeoutMs: timeoutMs + MAX_WAIT_MS }),
    })
    return response.body as T
  }

  async function status(
    kind: ObjectKind,
    id: string,
    options: CallOptions = {},
  ): Promise<ObjectStatus> {
    return (await call<StoredObject>('GET', objectPath(kind, id), options)).status
  }

  return {
    list: (kind = null, options = {}) =>
      call('GET', kind === null ? '/api/objects' : pathOf('api', 'objects', kind), options),
    get: (kind, id, options = {}) => call('GET', objectPath(kind, id), options),
    async find(kind, id, options = {}) {
      try {
        return await call<StoredObject>('GET', objectPath(kind, id), options)
      } catch (error) {
        if (error instanceof SluiceError && error.status === 404) return null
        throw error
      }
    },
    put: (kind, id, value, options = {}) => call('PUT', objectPath(kind, id), options, value),
    patch: (kind, id, patch, options = {}) => call('PATCH', objectPath(kind, id), options, patch),
    delete: (kind, id, options = {}) => call('DELETE', objectPath(kind, id), options),
    status,
    async wait(kind, id, options = {}) {
      for (let ms = LOOK_AFTER_MS; ; ms = Math.min(ms * 2, MAX_PAUSE_MS)) {
        const found = await status(kind, id, options)
        if (found.state !== 'pending') return found
        // An aborted signal rejects the next request, in the words of the client.
        await pause(ms, undefined, options).catch(() => {})
      }
    },
  }
}

/** Throws TypeError if a part of the id is empty: the path would be another one. */
function objectPath(kind: ObjectKind, id: string): string {
  const parts = id.split('/')
  if (parts.includes('')) throw new TypeError(`the id of a ${kind} is empty: ${JSON.stringify(id)}`)
  return pathOf('api', 'objects', kind, ...parts)
}

function toETag(revision: string | undefined): string | undefined {
  return revision === undefined || revision === '*' ? revision : `"${revision}"`
}

function toDuration(time: number | string | undefined): string | undefined {
  return typeof time === 'number' ? `${time}ms` : time
}
