/**
 * Redis as a source of declarations. Redis guarantees no client that it receives every event, so a watch does this:
 *
 *   subscribe   to the numbered log of writers of Sluice (change-log.ts) and to keyspace events (keyspace-events.ts), on
 *               separate connections; without permission for those events, it polls
 *   list        all keys below the prefix; keys that change meanwhile are read again afterwards
 *   repeat      read each key that an event named, or whose time to live has passed by the clock of this process, and yield the changes.
 *               List again after a gap, when fewer keys are left than are known, on request, and periodically. Without
 *               events, a list every 2 s replaces them, and its differences are declared as single changes
 *
 * An event is only a reason to read: what is yielded was read from the key itself, so events may be reordered, repeated or
 * wrong. A connection that is lost or silent ends the watch. How keys are named, also in a cluster: key-names.ts; what the
 * revision of a key is: read-keys.ts; how keys are written: redis-key-store.ts.
 *
 * A restricted user needs `~<prefix>/* ~<prefix>:* &__keyspace@0__:<prefix>/* +@read +multi +exec +ping +psubscribe`. With
 * `+config|get +config|set` it need not poll; with `+info` a restart of Redis is noticed, see rollback.ts.
 */
import type { RedisSource } from './source.ts'
import type { Layout } from '../layout.ts'
import type { Declaration, Provider } from '../provider.ts'
import { toFailure } from './failure.ts'
import {
  enableKeyspaceEvents,
  EVENT_TIMEOUT_MS,
  subscribeToKeyspaceEvents,
} from './keyspace-events.ts'
import { openNodes } from './nodes.ts'
import { openConnection } from './connection.ts'
import type { RedisConnection } from './connection.ts'
import { openChangeLog } from './change-log.ts'
import { createRollbackDetector } from './rollback.ts'
import type { Loss, RollbackDetector } from './rollback.ts'
import { createKeyNames } from './key-names.ts'
import { createPendingChanges } from './pending-changes.ts'
import type { ChangeBatch } from './pending-changes.ts'
import { createReader } from './reader.ts'

export { openRedisKeyStore } from './redis-key-store.ts'

export interface RedisProviderOptions {
  readonly reconcileMs?: number
  readonly now?: () => number
  /** From 0 up to 1. */
  readonly random?: () => number
}

/** Of a command. XREAD blocks for half of its own. Each is less than the 5 s that `Provider.watch` allows, with the interval below. */
const TIMEOUT_MS = 3_000
const LOG_TIMEOUT_MS = 4_000
/** Without events, the keys are counted this often, which also shows that the connection works. */
const COUNT_INTERVAL_MS = 1_500
/** How often to list if Redis sends no events. */
const POLL_INTERVAL_MS = 2_000
/** Between lists, however many reasons there are for one. */
const MIN_LIST_INTERVAL_MS = 250

export function createRedisProvider(
  spec: RedisSource,
  layout: Layout,
  options: RedisProviderOptions = {},
): Provider {
  const { reconcileMs = 30_000, now = () => performance.now(), random = Math.random } = options
  const reloads = new Set<() => void>()
  const rollback = createRollbackDetector()
  return {
    name: spec.name,
    watch: (signal) =>
      watchRedis(spec, layout, { reconcileMs, now, random }, signal, reloads, rollback),
    checkpoint: () => rollback.checkpoint,
    restore: rollback.restore,
    reload() {
      for (const reload of reloads) reload()
    },
  }
}

async function* watchRedis(
  spec: RedisSource,
  layout: Layout,
  { reconcileMs, now, random }: Required<RedisProviderOptions>,
  signal: AbortSignal,
  reloads: Set<() => void>,
  rollback: RollbackDetector,
): AsyncGenerator<Declaration, void, undefined> {
  if (signal.aborted) return
  const names = createKeyNames(spec.prefix, layout.hasRoot)
  const connections: RedisConnection[] = []
  // Commands that wait for a reply fail immediately.
  const closeAll = (): void => {
    for (const connection of connections) connection.close()
  }
  const pending = createPendingChanges(now, closeAll)
  const loops: Promise<void>[] = []

  let listReason: string | null = 'first'
  let listedAt = -Infinity
  let reconcileAt = Infinity
  let areEventsOn = false
  let nextLoss: Loss | null = null

  const reload = (): void => pending.requestList('asked')
  const stop = (): void => {
    closeAll()
    pending.requestList('stopped')
  }
  reloads.add(reload)
  signal.addEventListener('abort', stop)

  function own(connection: RedisConnection): RedisConnection {
    connections.push(connection)
    connection.onLost(pending.fail)
    return connection
  }

  /** Returns true if all nodes send keyspace events. */
  async function subscribe(nodes: readonly RedisConnection[]): Promise<boolean> {
    let isSubscribed = true
    for (const [node, { address }] of nodes.entries()) {
      const connection = own(
        await openConnection(spec, address, { timeoutMs: EVENT_TIMEOUT_MS, signal }),
      )
      const database = spec.cluster ? 0 : spec.database
      if (!(await subscribeToKeyspaceEvents(connection, node, names, database, pending)))
        isSubscribed = false
    }
    const [first] = nodes
    if (first === undefined || (spec.cluster && !names.isTagged)) return isSubscribed
    const connection = own(
      await openConnection(spec, first.address, { timeoutMs: LOG_TIMEOUT_MS, signal }),
    )
    const log = await openChangeLog(connection, names)
    loops.push(log.follow(pending))
    return isSubscribed
  }

  function dueReason(): string | null {
    const nowMs = performance.now()
    if (listReason !== null)
      return listReason === 'asked' || nowMs >= listedAt + MIN_LIST_INTERVAL_MS ? listReason : null
    if (nowMs >= reconcileAt) return 'reconcile'
    return !areEventsOn && nowMs >= listedAt + POLL_INTERVAL_MS ? 'poll' : null
  }

  function nextListAt(): number {
    if (listReason !== null) return listedAt + MIN_LIST_INTERVAL_MS
    return areEventsOn ? reconcileAt : Math.min(reconcileAt, listedAt + POLL_INTERVAL_MS)
  }

  try {
    const nodes = (await openNodes(spec, names, { timeoutMs: TIMEOUT_MS, signal })).map(own)
    const isSubscribed = await subscribe(nodes)
    const reader = createReader(spec.name, nodes, names, layout, signal)
    let batch: ChangeBatch = pending.take()
    let countAt = performance.now() + COUNT_INTERVAL_MS

    while (!signal.aborted) {
      const changedAt = batch.since ?? now()
      const reason = dueReason()
      if (reason !== null) {
        listReason = null
        listedAt = performance.now()
        // Before each list: the setting may have been changed.
        areEventsOn =
          isSubscribed && (await Promise.all(nodes.map(enableKeyspaceEvents))).every(Boolean)
        // Before and after: the server may be rolled back before the list or while it is read.
        const before = nextLoss ?? (await rollback.detect(nodes, names))
        const isQuiet = reason === 'poll' || (reason === 'fewer' && !areEventsOn)
        const isStep = isQuiet && before === null
        const isDifferent = await reader.list(isStep)
        // The list may be from before the rollback, so it counts for the next list as well.
        nextLoss = await rollback.detect(nodes, names)
        const loss = before ?? nextLoss
        if (!isStep) reconcileAt = listedAt + reconcileMs * (1 + random() / 5)
        if (!isStep || isDifferent || loss !== null) {
          const listed = loss ?? (isStep ? null : reason)
          yield await reader.declare(reason === 'log' ? reason : listed, changedAt)
        }
      } else {
        const paths = new Map([...batch.paths, ...reader.due()])
        if (paths.size > 0) {
          if (await reader.read(paths)) yield await reader.declare(null, changedAt)
        } else if (performance.now() >= countAt) {
          // Only without pending events: DBSIZE already counts a delete whose event is still on its way.
          if (await reader.hasFewer()) pending.requestList('fewer')
          countAt = performance.now() + COUNT_INTERVAL_MS
        }
      }

      const wakeAt = Math.min(nextListAt(), reader.nextDeadline(), countAt)
      await pending.wait(Math.max(0, wakeAt - performance.now()))
      batch = pending.take()
      listReason = batch.listReason === 'asked' ? 'asked' : (listReason ?? batch.listReason)
    }
  } catch (error) {
    if (signal.aborted) return
    // The error of a connection that ended says more than that of a command which failed with it.
    pending.take()
    throw toFailure(error, `cannot read Redis "${spec.name}"`)
  } finally {
    signal.removeEventListener('abort', stop)
    reloads.delete(reload)
    closeAll()
    await Promise.all(loops)
  }
}
