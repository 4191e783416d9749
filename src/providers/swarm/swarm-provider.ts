/**
 * The services of a Swarm as a source of declarations: the labels of services are the objects, and their running tasks the
 * servers. Events of services, nodes and local containers name services, which are then read, and read again until their tasks
 * have settled (settling.ts). Everything is read at the beginning of a watch and every 5 s, because nothing reports the tasks of
 * other nodes.
 */
import { createEngineClient } from '../docker/engine-client.ts'
import { followEvents } from '../docker/engine-events.ts'
import { findOwnContainer } from '../docker/own-container.ts'
import { createPortWatch, type PortWatchOptions } from '../docker/port-watch.ts'
import { createLabelReader } from '../labels/label-reader.ts'
import type { Labelled } from '../labels/labelled.ts'
import type { Listed } from '../listing/object-mirror.ts'
import { watchListing, type ListingSource } from '../listing/watch-listing.ts'
import type { Declaration, Provider } from '../provider.ts'
import { EVENT_TYPES, readSwarmEvent, type SwarmHint } from './events.ts'
import { createInstances } from './instances.ts'
import { createManager } from './manager.ts'
import { createSettling } from './settling.ts'
import type { SwarmSource } from './source.ts'

export interface SwarmProviderOptions {
  readonly reconcileMs?: number
  /** Between reads of everything. */
  readonly idleMs?: number
  /** The id of Sluice's own container; null: it runs in none. */
  readonly ownId?: string | null
  /** Whether a port accepts connections, see PortWatch. */
  readonly connect?: PortWatchOptions['connect']
}

const RECONCILE_MS = 60_000
const IDLE_MS = 5_000
/** How long a list waits for the first connections to new tasks. */
const FIRST_TRIES_MS = 500
const TRIES_MS = 100
/** With more services, everything is read. */
const MAX_NAMED = 50

export function createSwarmProvider(
  spec: SwarmSource,
  options: SwarmProviderOptions = {},
): Provider {
  const { reconcileMs = RECONCILE_MS, idleMs = IDLE_MS, ownId = findOwnContainer() } = options
  const reloads = new Set<() => void>()
  const hints = new Set<() => void>()
  const ports = createPortWatch({
    onChange: () => hints.forEach((hint) => hint()),
    ...(options.connect === undefined ? {} : { connect: options.connect }),
  })
  const instances = createInstances({
    ...{ source: spec.name, labels: spec.labels, addresses: spec.addresses },
    ports,
  })
  const reader = createLabelReader({ ...spec.labels, kind: 'swarm' })
  let last: { readonly items: readonly Labelled[]; readonly listed: Listed } = {
    items: [],
    listed: { objects: [], problems: [] },
  }

  async function* watch(signal: AbortSignal): AsyncGenerator<Declaration, void, undefined> {
    const client = createEngineClient(spec.endpoint, spec.tls)
    const manager = createManager(client, {
      gateways: spec.addresses.address === 'gateway',
      ownId: spec.addresses.address === 'overlay' ? ownId : null,
    })
    const settling = createSettling()
    const named = new Set<string>()
    let isFirst = true
    let isWholeNext = true
    let wholeAt = -Infinity
    let timer: NodeJS.Timeout | null = null
    let stopBeating = (): void => {}
    let onHint = (): void => {}
    const onPort = (): void => onHint()
    const onReload = (): void => void (isWholeNext = true)

    function take(hint: SwarmHint | null): void {
      if (hint === null) return
      if (hint.service === null) isWholeNext = true
      else {
        named.add(hint.service)
        settling.hinted(hint.service, performance.now())
      }
      onHint()
    }

    async function read(within: AbortSignal): Promise<void> {
      const ids = [...named]
      const isWhole = isWholeNext || ids.length > MAX_NAMED || performance.now() - wholeAt >= idleMs
      isWholeNext = false
      named.clear()
      if (isWhole) {
        await manager.readAll(within)
        wholeAt = performance.now()
      } else if (ids.length > 0) await manager.readSome(ids, within)
      else return
      const { services, tasks } = manager.view
      for (const id of isWhole ? new Set([...ids, ...services.keys()]) : ids) {
        settling.read(id, services.get(id) ?? null, tasks.get(id) ?? [], performance.now())
      }
    }

    /** The next read without an event. */
    function plan(): void {
      if (timer !== null) clearTimeout(timer)
      const next = settling.next()
      const idle = wholeAt + idleMs - performance.now()
      timer = setTimeout(
        () => {
          if (next !== null && next.afterMs < idle) {
            settling.polled()
            for (const id of next.ids) named.add(id)
          }
          onHint()
        },
        Math.max(0, Math.min(next?.afterMs ?? Infinity, idle)),
      )
    }

    async function list(within: AbortSignal): Promise<Listed> {
      await read(within)
      // Begins to connect to new ones.
      instances.of(manager.view)
      await ports.tried(isFirst ? FIRST_TRIES_MS : TRIES_MS)
      isFirst = false
      plan()
      const items = instances.of(manager.view)
      // As after most reads while tasks settle.
      const isSame =
        items.length === last.items.length && items.every((one, at) => one === last.items[at])
      if (!isSame) last = { items, listed: reader.read(items) }
      return last.listed
    }

    const source: ListingSource = {
      async subscribe(hintNow, onEnd, within) {
        onHint = hintNow
        const onEvent = (event: unknown): void => take(readSwarmEvent(event))
        const events = { types: EVENT_TYPES, onEvent, onEnd, signal: within }
        stopBeating = await followEvents(client, events)
      },
      list,
    }
    hints.add(onPort)
    reloads.add(onReload)
    try {
      yield* watchListing(source, { signal, reloads, reconcileMs, haveStopped: true })
    } finally {
      stopBeating()
      if (timer !== null) clearTimeout(timer)
      hints.delete(onPort)
      reloads.delete(onReload)
      client.close()
      // The source may also end after this watch was lost, before the next one.
      if (signal.aborted) ports.close()
      else signal.addEventListener('abort', ports.close, { once: true })
    }
  }

  return {
    name: spec.name,
    watch,
    reload() {
      for (const reload of reloads) reload()
    },
  }
}
