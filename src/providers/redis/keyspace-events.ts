/**
 * Keyspace events: how writes by programs that do not use the change log are noticed. An event only says which key to read again.
 * If a server does not send events, its keys are polled. Expired events are not relied on: with many volatile keys Redis
 * sends them half a minute late, or not at all.
 */
import { startHeartbeat } from '../heartbeat.ts'
import { isReply, toFailure } from './failure.ts'
import type { RedisConnection } from './connection.ts'
import { escapeGlob } from './key-names.ts'
import type { KeyNames } from './key-names.ts'
import type { PendingChanges } from './pending-changes.ts'

/** How often the subscribed connection is pinged. Together with the timeout, less than the 5 s that `Provider.watch` allows. */
const PING_INTERVAL_MS = 1_500
export const EVENT_TIMEOUT_MS = 3_000

/** Keyspace channels; DEL, EXPIRE and the like; strings; expired; evicted. */
const NEEDED_FLAGS = 'Kg$xe'

/** True if the server now sends the events that are needed. Other flags that are set stay set. */
export async function enableKeyspaceEvents({ redis }: RedisConnection): Promise<boolean> {
  try {
    const [, flags = ''] = await redis.config('GET', 'notify-keyspace-events')
    const has = flags.includes('A') ? `${flags}g$xe` : flags
    const missing = [...NEEDED_FLAGS].filter((flag) => !has.includes(flag)).join('')
    if (missing !== '') await redis.config('SET', 'notify-keyspace-events', flags + missing)
    return true
  } catch (error) {
    // CONFIG is renamed, disabled by the hosting provider, or not permitted.
    if (isReply(error) && !error.message.startsWith('NOAUTH')) return false
    throw error
  }
}

/** False if the server refuses it. The subscription ends with the connection. */
export async function subscribeToKeyspaceEvents(
  connection: RedisConnection,
  node: number,
  names: KeyNames,
  database: number,
  pending: PendingChanges,
): Promise<boolean> {
  const { redis, address } = connection
  const channel = `__keyspace@${database}__:`
  redis.on('pmessage', (_pattern: string, from: string) => {
    const path = names.pathOf(from.slice(channel.length))
    if (path !== null) pending.add(path, node)
  })
  try {
    await redis.psubscribe(`${escapeGlob(channel)}${names.pattern}`)
  } catch (error) {
    if (isReply(error)) return false
    throw error
  }
  const stopHeartbeat = startHeartbeat(
    () => redis.ping(),
    PING_INTERVAL_MS,
    (error) => pending.fail(toFailure(error, `cannot listen to Redis at ${address}`)),
  )
  redis.once('end', stopHeartbeat)
  return true
}
