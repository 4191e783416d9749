/** A blocking query for each service, which Consul answers when that service changes. For few services: each holds a connection. */
import { setTimeout as pause } from 'node:timers/promises'
import { exponentialBackoff } from '../../model/backoff.ts'
import { followResource } from '../consul-api/follow-resource.ts'
import { readConsul, type ConsulRead } from '../consul-api/query.ts'
import {
  FIRST_RETRY_MS,
  LAST_RETRY_MS,
  MAX_BYTES,
  servicePath,
  type Reading,
  type ServiceReader,
} from './reading.ts'

export function createOneQueryEach(reading: Reading): ServiceReader {
  const { client, access, table, signal, now } = reading
  /** By service: ends its query. */
  const followed = new Map<string, AbortController>()
  /** Of what was taken last. */
  const indexes = new Map<string, bigint>()

  function take(name: string, read: ConsulRead): void {
    indexes.set(name, read.index ?? 0n)
    table.take(name, read)
  }

  async function follow(name: string, ending: AbortController): Promise<void> {
    const path = servicePath(name)
    const whole = AbortSignal.any([signal, ending.signal])
    const options = { signal: whole, maxBytes: MAX_BYTES }
    for (let failures = 0; !whole.aborted; failures++) {
      try {
        const first = await readConsul(client, access, path, { ...options, isConsistent: true })
        take(name, first)
        failures = 0
        await followResource({
          ...{ client, access, path, now, ...options, index: first.index },
          onRead: (read) => take(name, read),
        })
      } catch (error) {
        if (whole.aborted) return
        table.fail(name, error)
      }
      const delayMs = exponentialBackoff(FIRST_RETRY_MS, failures, LAST_RETRY_MS)
      await pause(delayMs, null, { signal: whole }).catch(() => {})
    }
  }

  /** Its query reports failures, and may have returned what is newer. */
  async function readAgain(name: string): Promise<void> {
    const options = { signal, maxBytes: MAX_BYTES }
    const read = await readConsul(client, access, servicePath(name), options)
    if (read.index !== null && read.index >= (indexes.get(name) ?? 0n)) take(name, read)
  }

  return {
    update() {
      for (const [name, ending] of followed) {
        if (table.names.has(name)) continue
        ending.abort()
        followed.delete(name)
        indexes.delete(name)
      }
      for (const name of table.names.keys()) {
        if (followed.has(name)) continue
        const ending = new AbortController()
        followed.set(name, ending)
        void follow(name, ending)
      }
    },
    async refresh() {
      await Promise.allSettled([...followed.keys()].map(readAgain))
    },
  }
}
