/**
 * The keys of TLS session tickets, one set for all threads. They change every 12 hours, so that a key that leaks opens the tickets of
 * half a day. Node accepts tickets of the current keys only: a client with an older one makes a whole handshake. Sessions last
 * five minutes, so that concerns few, and a second generation would not be worth a server of its own.
 *
 * Programs with the same secret derive the same keys at the same time, so that a session is resumed by any of them, and after a
 * restart.
 */
import { hkdfSync, randomBytes } from 'node:crypto'

export const TICKET_PERIOD_MS: number = 12 * 3_600_000
/** Node's ticketKeys: a name, a key for encryption and one for authentication. */
const KEY_BYTES = 48

export interface TicketKeys {
  current(): Buffer
  stop(): void
}

export interface TicketKeysOptions {
  /** Null: random keys, which no other program has. */
  readonly secret: string | null
  /** Base64: those of the program before this one, without a secret; null: there was none. */
  readonly first?: string | null
  /** ms since the epoch. */
  readonly now: () => number
  readonly onChange: (keys: Buffer) => void
}

export function createTicketKeys(options: TicketKeysOptions): TicketKeys {
  const { secret, first = null, now, onChange } = options
  let period = Math.floor(now() / TICKET_PERIOD_MS)
  let keys =
    secret === null && first !== null ? Buffer.from(first, 'base64') : keysOf(secret, period)
  let timer = wait()

  function wait(): NodeJS.Timeout {
    const nextAt = (period + 1) * TICKET_PERIOD_MS
    return setTimeout(change, Math.max(0, nextAt - now())).unref()
  }

  function change(): void {
    const reached = Math.floor(now() / TICKET_PERIOD_MS)
    // A timer may be early, and the clock may be set.
    if (reached !== period) {
      period = reached
      keys = keysOf(secret, period)
      onChange(keys)
    }
    timer = wait()
  }

  return {
    current: () => keys,
    stop: () => clearTimeout(timer),
  }
}

function keysOf(secret: string | null, period: number): Buffer {
  if (secret === null) return randomBytes(KEY_BYTES)
  return Buffer.from(hkdfSync('sha256', secret, '', `sluice tickets ${period}`, KEY_BYTES))
}
