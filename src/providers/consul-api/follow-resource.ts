/** Blocking queries of one resource, one after another. */
import { setTimeout as pause } from 'node:timers/promises'
import type { HttpClient } from '../http-client/http-client.ts'
import type { ConsulAccess } from './options.ts'
import { createPace } from './pace.ts'
import { readConsul, type ConsulRead } from './query.ts'

export interface Following {
  readonly client: HttpClient
  readonly access: ConsulAccess
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly maxBytes: number
  readonly signal: AbortSignal
  /** Of the read that this one continues. */
  readonly index: bigint | null
  readonly now: () => number
  /** For each response that may differ from the one before; `hasGoneBack`: its index is lower, as after a restored backup. */
  readonly onRead: (read: ConsulRead, hasGoneBack: boolean) => void | Promise<void>
}

/** How long to wait where a server returns no index, so that each read returns at once. */
const WITHOUT_INDEX_MS = 1_000

/** Rejects with the first failure, also that of `onRead`, or when the signal aborts. */
export async function followResource(following: Following): Promise<never> {
  const { client, access, path, query = {}, maxBytes, signal, now, onRead } = following
  const pace = createPace(now)
  let { index } = following
  for (;;) {
    const read = await readConsul(client, access, path, { signal, maxBytes, index, query })
    const began = now()
    const hasGoneBack = index !== null && read.index !== null && read.index < index
    if (read.index === null || read.index !== index) await onRead(read, hasGoneBack)
    const restMs = pace.restAfter(read.costMs + now() - began)
    await pause(read.index === null ? WITHOUT_INDEX_MS : restMs, null, { signal })
    index = hasGoneBack ? null : read.index
  }
}
