/**
 * Reads of Consul, and blocking queries (https://developer.hashicorp.com/consul/api-docs/features/blocking): a read with the
 * `index` of the last response returns when its resource may have changed, or after `wait`.
 *
 * An index is of use only with the server's next response, so every doubt begins again without one: an error, an index that
 * is not positive, and one that went back, because a backup was restored.
 */
import { HttpFailure } from '../http-client/failure.ts'
import type { HttpClient, HttpResponse } from '../http-client/http-client.ts'
import { parseBounded } from '../http-client/parse-bounded.ts'
import type { ConsulAccess } from './options.ts'
import { messageOf } from '../../model/error-message.ts'

/** Consul's own 5 minutes would be the time in which a server that was wiped is not noticed. */
const WAIT_MS = 30_000
/** Consul adds up to a sixteenth to a wait, so that queries spread. */
const DEADLINE_MS: number = (WAIT_MS * 17) / 16 + 2_000
/** Of other reads. With the heartbeat (agents.ts), silence is noticed within the 5 s that `Provider.watch` allows. */
export const READ_TIMEOUT_MS = 4_000
const MAX_INDEX = 2n ** 63n - 1n

export interface ConsulRead {
  /** 404 is a response: the resource does not exist. */
  readonly status: number
  readonly body: unknown
  /** Null: there is none that may be used. */
  readonly index: bigint | null
  /** Whether the token may not see all of it. Consul says so from 1.12. */
  readonly isFiltered: boolean
  /** Of the body. */
  readonly chars: number
  /** How long this thread parsed it. */
  readonly costMs: number
}

export interface ReadOptions {
  readonly signal: AbortSignal
  readonly maxBytes: number
  /** Null: it returns at once. */
  readonly index?: bigint | null
  /**
   * Whether what follows builds on it: a leader that has just started responds once it has loaded all that it had, and not with
   * a part. Without effect for a source that takes stale reads.
   */
  readonly isConsistent?: boolean
  readonly query?: Readonly<Record<string, string>>
}

const ACCEPTED: readonly number[] = [200, 404]

/** `path` is encoded: `/v1/kv/sluice/`. */
export async function readConsul(
  client: HttpClient,
  access: ConsulAccess,
  path: string,
  { signal, maxBytes, index = null, isConsistent = false, query = {} }: ReadOptions,
): Promise<ConsulRead> {
  const wait = index === null ? {} : { index: String(index), wait: `${WAIT_MS}ms` }
  const mode = isConsistent && !access.stale ? { consistent: '' } : {}
  const response = await client.text(pathOf(access, path, { ...query, ...wait, ...mode }), {
    signal,
    maxBytes,
    timeoutMs: index === null ? READ_TIMEOUT_MS : DEADLINE_MS,
    accept: ACCEPTED,
  })
  const began = performance.now()
  const body = parseBody(client, path, response.body)
  return {
    status: response.status,
    body,
    index: indexOf(response),
    isFiltered: headerOf(response, 'x-consul-results-filtered-by-acls') === 'true',
    chars: response.body.length,
    costMs: performance.now() - began,
  }
}

function parseBody(client: HttpClient, path: string, text: string): unknown {
  if (text === '') return undefined
  try {
    return parseBounded(text)
  } catch (cause) {
    const reason = messageOf(cause)
    throw new HttpFailure(`cannot read ${path} of Consul at ${client.origin}: ${reason}`, null, {
      cause,
    })
  }
}

/** With the data center and the like that every request of the source has. */
export function pathOf(
  { datacenter, namespace, partition, stale }: ConsulAccess,
  path: string,
  query: Readonly<Record<string, string>> = {},
): string {
  const words = Object.entries({
    ...query,
    ...(datacenter === null ? {} : { dc: datacenter }),
    ...(namespace === null ? {} : { ns: namespace }),
    ...(partition === null ? {} : { partition }),
  }).map(([key, value]) => `${key}=${encodeURIComponent(value)}`)
  if (stale) words.push('stale')
  return words.length === 0 ? path : `${path}?${words.join('&')}`
}

/** A key as a part of a path: its slashes stay. */
export function encodeKey(key: string): string {
  return key.split('/').map(encodeURIComponent).join('/')
}

function indexOf(response: HttpResponse<string>): bigint | null {
  const text = headerOf(response, 'x-consul-index')
  if (!/^\d{1,20}$/.test(text)) return null
  const index = BigInt(text)
  return index > 0n && index <= MAX_INDEX ? index : null
}

function headerOf({ headers }: HttpResponse<string>, name: string): string {
  const value = headers[name]
  return typeof value === 'string' ? value : ''
}
