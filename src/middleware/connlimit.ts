/**
 * Limits the concurrent requests of one client (or another `key`) over all workers:
 * `connlimit: { connections: 10, key: client.ip }`. Further requests get a 429, as in vulcand.
 *
 * Memory is bounded: the table holds 65,536 keys, eight in each set. A key with requests in flight is never evicted; a
 * new key whose set is full of such keys passes uncounted, because a limit for each client does not protect the whole
 * (`inflight` does). Keys are hashed with a seed, so that clients cannot choose keys of one set. Permits of a worker that
 * died are free again after `2 * LEASE_MS`, see policy/limiting/leased-counts.ts.
 */
import { errorResponse } from '../http/message/local-response.ts'
import { ExchangeError } from '../http/message/errors.ts'
import { KeyTable, NO_CELL } from '../policy/limiting/key-table.ts'
import {
  LEASE_MS,
  LEASED_MASK,
  LeasedCounts,
  MAX_LEASED,
} from '../policy/limiting/leased-counts.ts'
import { compileKey, headerOfKey, keyOption } from './key.ts'
import type { MiddlewareKind, MiddlewareContext, CompileContext } from './middleware.ts'

interface ConnLimitOptions {
  connections: number
  key: string
}

const RENEW_MS = LEASE_MS / 3

export const connlimit: MiddlewareKind<ConnLimitOptions> = {
  kind: 'connlimit',
  options: (words) =>
    words.strict(
      {
        connections: words.limit('Concurrent requests of one key.', MAX_LEASED),
        key: keyOption(words),
      },
      'Limits the concurrent requests of one client; further ones get a 429.',
    ),
  readsHeaders: ({ key }) => headerOfKey(key),
  state: { in: 'table', of: 'frontend' },
  compile({ connections, key }, compileContext) {
    const keyOf = compileKey(key)
    const counts = new Counts(connections, compileContext)
    const message = `max connections reached: ${connections}`
    const refused = errorResponse(new ExchangeError('CLIENT_LIMIT', message), message)
    return {
      onRequest: (exchange, context) => (counts.enter(keyOf(exchange), context) ? null : refused),
    }
  },
}

class Counts {
  readonly #most: number
  readonly #now: () => number
  readonly #table: KeyTable
  readonly #leased: LeasedCounts
  /** Runs while permits are held. */
  #timer: NodeJS.Timeout | null = null

  constructor(most: number, { table, seed, now }: CompileContext) {
    this.#most = most
    this.#now = now
    this.#table = new KeyTable(table, seed, LEASED_MASK)
    this.#leased = new LeasedCounts(table)
  }

  /** False if the limit is reached. */
  enter(key: string, context: MiddlewareContext): boolean {
    const leased = this.#leased
    const now = this.#now()
    // The limit is part of the key, because a table that is reused may hold entries of another limit.
    const cell = this.#table.findOrTake(key, this.#most, leased.fresh(now), leased.spent(now))
    if (cell === NO_CELL) return true
    const holding = leased.take(cell, this.#most, now)
    if (holding === null) return false
    context.onEnd(() => {
      leased.release(holding, this.#now())
    })
    this.#timer ??= setInterval(() => {
      this.#renew()
    }, RENEW_MS).unref()
    return true
  }

  #renew(): void {
    this.#leased.renew(this.#now())
    if (!this.#leased.isEmpty || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }
}
