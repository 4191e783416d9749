/** What both ways of following services share: one-query-each.ts for few of them, by-checks.ts for many. */
import type { ConsulAccess } from '../consul-api/options.ts'
import { readConsul } from '../consul-api/query.ts'
import type { HttpClient } from '../http-client/http-client.ts'
import type { ServiceTable } from './service-table.ts'

export interface Reading {
  readonly client: HttpClient
  readonly access: ConsulAccess
  readonly table: ServiceTable
  readonly signal: AbortSignal
  readonly now: () => number
  /** Never rejects: the table notes a failure. Returns how long this thread was busy, null after a failure. */
  readOnce(name: string): Promise<number | null>
}

/** Follows the services of the table. */
export interface ServiceReader {
  /** After the names of the table have changed. */
  update(): void
  /** Reads all of them again. */
  refresh(): Promise<void>
}

/** Of one response. */
export const MAX_BYTES: number = 16 << 20
/** A service that cannot be read is tried again. */
export const FIRST_RETRY_MS = 100
export const LAST_RETRY_MS = 5_000

export function createReading(options: Omit<Reading, 'readOnce'>): Reading {
  const { client, access, table, signal, now } = options
  return {
    ...options,
    async readOnce(name) {
      try {
        const path = servicePath(name)
        const read = await readConsul(client, access, path, { signal, maxBytes: MAX_BYTES })
        const began = now()
        table.take(name, read)
        return read.costMs + now() - began
      } catch (error) {
        if (!signal.aborted) table.fail(name, error)
        return null
      }
    },
  }
}

export function servicePath(name: string): string {
  return `/v1/health/service/${encodeURIComponent(name)}`
}
