/**
 * The containers of a Docker engine as a source of declarations: their labels are the objects, and their addresses the
 * servers. Events name containers, which are then read: `GET /containers/json` for these, and as a whole at the beginning of
 * a watch, periodically, and if an event names none.
 *
 *   start    the container is read; it gets requests when it is healthy or, without a health check, when its port accepts
 *   kill     it gets no new requests (stops.ts), and is still declared
 *   die      it is not listed any more
 *
 * What is known of stops and ports outlives a watch: an engine that is away changes nothing about its containers.
 */
import { createLabelReader } from '../labels/label-reader.ts'
import type { Listed } from '../listing/object-mirror.ts'
import { watchListing, type ListingSource } from '../listing/watch-listing.ts'
import type { Declaration, Provider } from '../provider.ts'
import { readContainer, readInspected, type ReadContainer } from './container.ts'
import { createEngineClient, type EngineClient } from './engine-client.ts'
import { followEvents } from './engine-events.ts'
import { EVENT_TYPES, readEvent, type Hint } from './events.ts'
import { createInstances } from './instances.ts'
import { findOwnContainer } from './own-container.ts'
import { createPortWatch, type PortWatchOptions } from './port-watch.ts'
import type { DockerSource } from './source.ts'
import { createStops } from './stops.ts'

export interface DockerProviderOptions {
  readonly reconcileMs?: number
  /** The id of Sluice's own container; null: it runs in none. */
  readonly ownId?: string | null
  /** As of `createPortWatch`, for tests. */
  readonly connect?: PortWatchOptions['connect']
}

const RECONCILE_MS = 60_000
/** How long a list waits for the first connections to new containers. */
const FIRST_TRIES_MS = 1_500
const TRIES_MS = 100
/** With more, the whole list costs less. */
const MAX_NAMED = 100
const MAX_INSPECTING = 16

/** What the next list reads. */
interface Pending {
  isWhole: boolean
  /** A list was asked for that needs no reading. */
  isKnown: boolean
  readonly ids: Set<string>
}

export function createDockerProvider(
  spec: DockerSource,
  options: DockerProviderOptions = {},
): Provider {
  const { reconcileMs = RECONCILE_MS, ownId = findOwnContainer(), connect } = options
  const reloads = new Set<() => void>()
  const hints = new Set<() => void>()
  const hint = (): void => hints.forEach((each) => each())
  let current: EngineClient | null = null
  const ports = createPortWatch({ onChange: hint, ...(connect === undefined ? {} : { connect }) })
  const stops = createStops({
    inspect: async (id) => (await current?.inspect(id, AbortSignal.timeout(5_000))) ?? null,
    onChange(id, isStopping) {
      // It has not stopped: as after a start.
      if (!isStopping) ports.forget(id)
      hint()
    },
  })
  const instances = createInstances({
    rules: spec.labels,
    addresses: spec.addresses,
    ownId,
    ports,
    stops,
  })
  const reader = createLabelReader({ ...spec.labels, kind: 'docker' })

  function close(): void {
    ports.close()
    stops.close()
  }

  async function* watch(signal: AbortSignal): AsyncGenerator<Declaration, void, undefined> {
    const client = createEngineClient(spec.endpoint, spec.tls)
    const pending: Pending = { isWhole: true, isKnown: false, ids: new Set() }
    let isFirst = true
    let wholeAt = -Infinity
    let stopBeating = (): void => {}
    let onHint = (): void => {}
    const onKnown = (): void => {
      pending.isKnown = true
      onHint()
    }
    const onReload = (): void => void (pending.isWhole = true)
    current = client

    function take(found: Hint | null): void {
      if (found === null) return
      if (found.kind === 'unknown') {
        pending.isWhole = true
      } else if (found.kind === 'signal') {
        if (instances.isServer(found.id)) stops.signalled(found.id, found.signal)
        return
      } else {
        if (found.kind === 'start') {
          stops.forget(found.id)
          ports.forget(found.id)
        }
        pending.ids.add(found.id)
      }
      onHint()
    }

    async function read(within: AbortSignal): Promise<void> {
      const { isWhole, isKnown } = pending
      const ids = [...pending.ids]
      const isDue = performance.now() - wholeAt >= reconcileMs
      pending.isWhole = pending.isKnown = false
      pending.ids.clear()
      if (isWhole || isDue || ids.length > MAX_NAMED || (ids.length === 0 && !isKnown)) {
        const list = await readContainers(client, within)
        wholeAt = performance.now()
        if (isFirst) forgetYoung(list)
        instances.replace(list)
      } else if (ids.length > 0) {
        instances.update(ids, await readContainers(client, within, ids))
      }
    }

    /** It may have been started again while the engine was away. */
    function forgetYoung(list: readonly ReadContainer[]): void {
      for (const one of list) if ('isYoung' in one && one.isYoung) ports.forget(one.id)
    }

    async function inspect(within: AbortSignal): Promise<void> {
      const ids = [...instances.uninspected()]
      if (ids.length === 0) return
      const readSome = async (): Promise<void> => {
        for (let id = ids.pop(); id !== undefined; id = ids.pop()) {
          instances.inspected(id, readInspected(await client.inspect(id, within)))
        }
      }
      await Promise.all(Array.from({ length: MAX_INSPECTING }, readSome))
    }

    async function list(within: AbortSignal): Promise<Listed> {
      await read(within)
      await inspect(within)
      // Begins to connect to new ones.
      const items = instances.items()
      const isTried = await ports.tried(isFirst ? FIRST_TRIES_MS : TRIES_MS)
      isFirst = false
      const { objects, problems } = reader.read(isTried ? instances.items() : items)
      return { objects, problems: [...problems, ...instances.problems()] }
    }

    const source: ListingSource = {
      async subscribe(hintNow, onEnd, within) {
        onHint = hintNow
        const onEvent = (event: unknown): void => take(readEvent(event))
        const events = { types: EVENT_TYPES, onEvent, onEnd, signal: within }
        stopBeating = await followEvents(client, events)
      },
      list,
    }
    hints.add(onKnown)
    reloads.add(onReload)
    try {
      yield* watchListing(source, { signal, reloads, reconcileMs, haveStopped: true })
    } finally {
      stopBeating()
      hints.delete(onKnown)
      reloads.delete(onReload)
      client.close()
      if (current === client) current = null
      // The source may also end after this watch was lost, before the next one.
      if (signal.aborted) close()
      else signal.addEventListener('abort', close, { once: true })
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

/** All that run, or those of `ids`. */
async function readContainers(
  client: EngineClient,
  signal: AbortSignal,
  ids?: readonly string[],
): Promise<readonly ReadContainer[]> {
  const filters = ids === undefined ? undefined : { id: ids }
  return (await client.list('/containers/json', signal, filters)).map(readContainer)
}
