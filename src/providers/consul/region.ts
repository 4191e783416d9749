/**
 * One data center of a source: its list of services, which Consul reports when it changes, and the services that are of this source. Few
 * services have a blocking query each (one-query-each.ts), many are followed by their checks (by-checks.ts).
 */
import { setTimeout as pause } from 'node:timers/promises'
import { followResource } from '../consul-api/follow-resource.ts'
import type { ConsulAccess } from '../consul-api/options.ts'
import { readConsul, type ConsulRead } from '../consul-api/query.ts'
import type { HttpClient } from '../http-client/http-client.ts'
import { createByChecks } from './by-checks.ts'
import { createOneQueryEach } from './one-query-each.ts'
import { createReading, MAX_BYTES, type ServiceReader } from './reading.ts'
import type { SeenIndex } from './seen-indexes.ts'
import { createServiceTable, type ServiceTable, type TableRules } from './service-table.ts'

export interface RegionOptions {
  readonly client: HttpClient
  readonly access: ConsulAccess
  readonly rules: TableRules
  /** Of its list of services, by all watches and earlier processes. */
  readonly seen: SeenIndex
  readonly now: () => number
  /** The table has changed. */
  readonly onChange: () => void
}

export interface Region {
  readonly table: ServiceTable
  /**
   * Calls `onBegun` once each service was read or could not be read, or after 5 s, and follows them. Rejects when the data
   * center is lost. It can be called again after that; meanwhile the table stays as it is.
   */
  follow(signal: AbortSignal, onBegun: () => void): Promise<never>
  /** Reads the list of services and all of them again. */
  refresh(): Promise<void>
  /**
   * The table is declared. Returns whether Consul has gone back to an earlier state, so that what is missing may have been
   * lost: for each list until all services were read, and the one after.
   */
  declare(): boolean
}

interface OpenReader extends ServiceReader {
  readonly isByChecks: boolean
  end(): void
}

const SERVICES_PATH = '/v1/catalog/services'
/** How long the slowest of many services may delay the others at the start. */
const MAX_BEGIN_MS = 5_000
/** Of services with a blocking query each. Consul accepts 200 connections from one address by default. */
const MAX_QUERIES = 64

export function createRegion(options: RegionOptions): Region {
  const { client, access, rules, seen, now, onChange } = options
  const table = createServiceTable(rules, onChange)
  let reader: OpenReader | null = null
  /** Of the list of services that was taken last. */
  let index: bigint | null = null
  let refresh = (): Promise<void> => Promise.resolve()
  let isBack = false
  let isReading = false

  return {
    table,
    async follow(signal, onBegun) {
      const ending = new AbortController()
      const whole = AbortSignal.any([signal, ending.signal])
      const lost = Promise.withResolvers<never>()
      // It may be rejected before it is awaited.
      lost.promise.catch(() => {})

      function open(isByChecks: boolean): OpenReader {
        const own = new AbortController()
        const reading = createReading({
          ...{ client, access, table, now },
          signal: AbortSignal.any([whole, own.signal]),
        })
        const opened = isByChecks
          ? createByChecks(reading, lost.reject)
          : createOneQueryEach(reading)
        return { ...opened, isByChecks, end: () => own.abort() }
      }

      function takeServices(read: ConsulRead): void {
        index = read.index
        table.setServices(read)
        const isByChecks = table.names.size > MAX_QUERIES
        if (reader?.isByChecks !== isByChecks) {
          reader?.end()
          reader = open(isByChecks)
        }
        reader.update()
      }

      try {
        const options = { signal: whole, maxBytes: MAX_BYTES }
        const first = await readConsul(client, access, SERVICES_PATH, {
          ...options,
          isConsistent: true,
        })
        reader = null
        isBack ||= seen.isAhead(first.index)
        isReading = true
        takeServices(first)
        refresh = async () => {
          const read = await readConsul(client, access, SERVICES_PATH, options)
          // Its query may have returned what is newer.
          if (read.index !== null && read.index >= (index ?? 0n)) takeServices(read)
          await reader?.refresh()
        }
        const late = pause(MAX_BEGIN_MS, undefined, { signal: whole })
        await Promise.race([table.settled(whole), late, lost.promise])
        isReading = false
        onBegun()
        const followed = followResource({
          ...{ client, access, path: SERVICES_PATH, now, ...options, index: first.index },
          onRead(read, hasGoneBack) {
            if (hasGoneBack)
              throw new Error('the catalogue of Consul has gone back to an older state')
            takeServices(read)
          },
        })
        return await Promise.race([followed, lost.promise])
      } finally {
        ending.abort()
      }
    },
    refresh: () => refresh(),
    declare() {
      const hasGoneBack = isBack
      if (!isReading) {
        isBack = false
        seen.record(index)
      }
      return hasGoneBack
    },
  }
}
