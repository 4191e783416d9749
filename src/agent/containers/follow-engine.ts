/**
 * Follows the containers of an engine: all that run when it is connected to and once a minute, and single ones that events name. An
 * engine that is away changes nothing: its containers run on.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { exponentialBackoff } from '../../model/backoff.ts'
import { isMap } from '../../model/parsed.ts'
import { createEngineClient, type EngineClient } from '../../providers/docker/engine-client.ts'
import { followEvents } from '../../providers/docker/engine-events.ts'
import type { DockerEndpoint } from '../../providers/docker/endpoint.ts'
import { EVENT_TYPES, readEvent, type Hint } from '../../providers/docker/events.ts'
import { createStops } from '../../providers/docker/stops.ts'
import { HttpFailure } from '../../providers/http-client/failure.ts'
import { createNotifier } from '../../providers/notifier.ts'
import { SourceRefused } from '../../providers/provider.ts'
import type { RegistryTls } from '../../providers/registry/options.ts'
import { readServiceContainer, type ServiceContainer } from './read-container.ts'

export interface EngineListener {
  /** All that run and do not stop, whenever that may have changed. */
  onContainers(containers: readonly ServiceContainer[]): void
  /** Null: the engine is reached. Called on changes only. */
  onEngine(error: Error | null): void
}

export interface FollowedEngine {
  readonly endpoint: DockerEndpoint
  readonly tls: RegistryTls | null
}

const RECONCILE_MS = 60_000
const FIRST_BACKOFF_MS = 100
const MAX_BACKOFF_MS = 1_000
const REFUSED_BACKOFF_MS = 5_000
/** Inspected at a time. */
const WINDOW = 16
const INSPECT_MS = 5_000
const AGAIN_MS = 500

/** Resolves when the signal aborts. */
export async function followEngine(
  { endpoint, tls }: FollowedEngine,
  listener: EngineListener,
  signal: AbortSignal,
): Promise<void> {
  const containers = new Map<string, ServiceContainer>()
  const notifier = createNotifier()
  const changed = new Set<string>()
  /** Those that are being inspected, and those that have changed since. */
  const reading = new Set<string>()
  const again = new Set<string>()
  let isWhole = true
  let current: EngineClient | null = null
  let isUp: boolean | null = null
  const stops = createStops({
    inspect: async (id) => (await current?.inspect(id, AbortSignal.timeout(INSPECT_MS))) ?? null,
    onChange: tell,
  })
  signal.addEventListener('abort', notifier.notify)

  function tell(): void {
    if (isUp === null || signal.aborted) return
    listener.onContainers([...containers.values()].filter(({ id }) => !stops.isStopping(id)))
  }

  function tellEngine(error: Error | null): void {
    if (isUp === (error === null) || signal.aborted) return
    isUp = error === null
    listener.onEngine(error)
  }

  function take(hint: Hint | null): void {
    if (hint === null) return
    if (hint.kind === 'signal') return stops.signalled(hint.id, hint.signal)
    if (hint.kind === 'unknown') isWhole = true
    else {
      if (hint.kind === 'start') stops.forget(hint.id)
      changed.add(hint.id)
    }
    notifier.notify()
  }

  function forget(id: string): void {
    containers.delete(id)
    stops.forget(id)
  }

  /** An engine does not answer for a container that it is starting or stopping; that says nothing about the others. */
  async function inspect(client: EngineClient, id: string): Promise<void> {
    try {
      const container = readServiceContainer(await client.inspect(id, signal))
      if (container?.of.tcp.state === 'running') containers.set(id, container)
      else forget(id)
    } catch (error) {
      if (!(error instanceof HttpFailure)) throw error
      void pause(AGAIN_MS, null, { signal }).then(
        () => take({ kind: 'changed', id }),
        () => {},
      )
    }
  }

  async function readAll(client: EngineClient): Promise<void> {
    isWhole = false
    const list = await client.list('/containers/json', signal)
    const ids = list.flatMap((one) => {
      const id = isMap(one) ? one['Id'] : null
      return typeof id === 'string' && /^[0-9a-f]{12,64}$/i.test(id) ? [id] : []
    })
    for (const id of containers.keys()) if (!ids.includes(id)) forget(id)
    const left = [...ids]
    const work = async (): Promise<void> => {
      for (let id = left.pop(); id !== undefined; id = left.pop()) await inspect(client, id)
    }
    await Promise.all(Array.from({ length: WINDOW }, work))
  }

  /** By itself: one that takes long keeps no other waiting. */
  async function readOne(client: EngineClient, id: string): Promise<void> {
    if (reading.has(id)) return void again.add(id)
    reading.add(id)
    try {
      await inspect(client, id)
      tell()
    } finally {
      reading.delete(id)
      if (again.delete(id)) take({ kind: 'changed', id })
    }
  }

  async function watch(client: EngineClient): Promise<void> {
    const state: { failure: Error | null } = { failure: null }
    const onEnd = (error: Error): void => {
      state.failure ??= error
      notifier.notify()
    }
    const onEvent = (event: unknown): void => take(readEvent(event))
    const stopBeating = await followEvents(client, { types: EVENT_TYPES, onEvent, onEnd, signal })
    try {
      isWhole = true
      while (!signal.aborted) {
        const ids = [...changed]
        changed.clear()
        if (isWhole) {
          await readAll(client)
          tellEngine(null)
          tell()
        }
        for (const id of ids) readOne(client, id).catch(onEnd)
        if (changed.size > 0 || isWhole) continue
        if (!(await notifier.wait(RECONCILE_MS))) isWhole = true
        if (state.failure !== null) throw state.failure
      }
    } finally {
      stopBeating()
    }
  }

  for (let failures = 0; !signal.aborted; failures++) {
    const startedAt = performance.now()
    const client = createEngineClient(endpoint, tls)
    current = client
    try {
      await watch(client)
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown))
      tellEngine(error)
      if (performance.now() - startedAt > MAX_BACKOFF_MS) failures = 0
      const ms =
        error instanceof SourceRefused
          ? REFUSED_BACKOFF_MS
          : exponentialBackoff(FIRST_BACKOFF_MS, Math.min(failures, 8), MAX_BACKOFF_MS)
      await pause(ms, null, { signal }).catch(() => {})
    } finally {
      client.close()
    }
  }
  stops.close()
  signal.removeEventListener('abort', notifier.notify)
}
