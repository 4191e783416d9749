/**
 * A pool of containers that exist, with a label in common: so many of them run. Containers are not made or removed. One that is to
 * stop gets no new requests first; when those in flight have ended, or `stop` is over, it gets its signal, and SIGKILL after `stop`
 * again. That goes on after `setReplicas` has resolved.
 */
import type { DockerActuatorSpec } from '../../model/actuator-spec.ts'
import { quote } from '../../model/parsed.ts'
import { readContainer, type Container } from '../../providers/docker/container.ts'
import { toId } from '../../providers/labels/definition.ts'
import type { EngineClient } from '../../providers/docker/engine-client.ts'
import type { Actuator, ActuatorContext } from '../actuator.ts'
import { type IsServer, whenIdle } from '../rotation.ts'
import { choosePoolChange, isRunning, type PoolMember } from './docker-pool.ts'
import { openEngine } from './engine.ts'
import { reasonOf, withReasons } from './failure.ts'

/** A start pulls nothing, but may wait for a network or a volume. */
const START_MS = 30_000
/** Beyond the time that the engine gives a container to stop. */
const STOP_GRACE_MS = 10_000
/** Starts and stops at a time. */
const MAX_CONCURRENT = 8

interface Stopping {
  /** It goes on serving. */
  readonly cancel: AbortController
  /** It has got its signal, which cannot be taken back. */
  isSignalled: boolean
}

type Context = Pick<ActuatorContext, 'sources' | 'rotation' | 'backend' | 'log'>

export function openDockerPool(
  { label, source, stopMs }: DockerActuatorSpec,
  { sources, rotation, backend, log }: Context,
): Actuator {
  const engine = openEngine('docker', source, sources)
  const what = `the containers with label ${quote(label)} at ${engine.where}`
  const closing = new AbortController()
  /** By id. */
  const stopping = new Map<string, Stopping>()
  /** Of containers that were stopped here: they get no requests until they are started again. */
  const held = new Map<string, () => void>()
  const limiter = createLimiter(MAX_CONCURRENT)

  async function list(client: EngineClient, signal: AbortSignal): Promise<readonly Container[]> {
    const before = [...held]
    const found = await client.list('/containers/json?all=1', signal, { label: [label] })
    const all = found.map((one) => {
      const read = readContainer(one)
      if ('fault' in read) throw new Error(`the container ${quote(read.name)} ${read.fault}`)
      return read
    })
    const stopped = new Set(all.flatMap((one) => (isRunning(one) ? [] : one.id)))
    // Another client has started or removed it; another container may have its name or address.
    for (const [id, release] of before) {
      if (stopped.has(id) || held.get(id) !== release) continue
      release()
      held.delete(id)
    }
    return all
  }

  /** Those that are about to stop count as stopped. */
  function runs(container: Container): boolean {
    return isRunning(container) && !stopping.has(container.id)
  }

  async function set(client: EngineClient, replicas: number, signal: AbortSignal): Promise<void> {
    const all = await list(client, signal)
    if (all.length === 0) {
      throw new Error('there are none: make them with docker create, or docker compose create')
    }
    const servers = rotation.servers()
    const pool = all.map((container): PoolMember => {
      const own = servers.filter((server) => isServerOf(container, server))
      const inFlight = own.reduce((sum, server) => sum + server.inFlight, 0)
      const isLeaving = isRunning(container) && !runs(container)
      return { container: isLeaving ? { ...container, state: 'leaving' } : container, inFlight }
    })
    const running = all.filter(runs).length
    const kept = keepRunning(all, replicas - running)
    const { start, stop, missing } = choosePoolChange(pool, replicas - kept)
    for (const container of stop) void end(client, container)
    const failures = await startAll(client, start, signal)
    if (failures.length > 0) throw new Error(failures.join('; '))
    if (missing > 0) {
      const paused = all.filter(({ state }) => state === 'paused').length
      const aside = paused === 0 ? '' : `, ${paused} of them paused`
      throw new Error(`there are only ${all.length}${aside}: make more of them, or lower max`)
    }
  }

  /** Of those that drain, up to `wanted` go on serving. Returns how many. */
  function keepRunning(all: readonly Container[], wanted: number): number {
    let kept = 0
    for (const { id } of all) {
      const leaving = stopping.get(id)
      if (kept >= wanted || leaving === undefined || leaving.isSignalled) continue
      leaving.cancel.abort()
      stopping.delete(id)
      kept += 1
    }
    return kept
  }

  async function startAll(
    client: EngineClient,
    containers: readonly Container[],
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const results = await Promise.allSettled(
      containers.map(({ id }) =>
        limiter.run(async () => {
          await client.post(`/containers/${id}/start`, { signal, timeoutMs: START_MS })
          held.get(id)?.()
          held.delete(id)
        }),
      ),
    )
    return results.flatMap((result, at) => {
      if (result.status === 'fulfilled') return []
      return [`container ${quote(containers[at]?.name)} does not start: ${reasonOf(result.reason)}`]
    })
  }

  async function end(client: EngineClient, container: Container): Promise<void> {
    const { id, name } = container
    const cancel = new AbortController()
    const state: Stopping = { cancel, isSignalled: false }
    stopping.set(id, state)
    const signal = AbortSignal.any([cancel.signal, closing.signal])
    const isServer: IsServer = (server) => isServerOf(container, server)
    const hold = rotation.hold(isServer)
    await whenIdle(rotation, isServer, stopMs, signal)
    try {
      await limiter.run(async () => {
        if (signal.aborted) return hold.release()
        state.isSignalled = true
        const seconds = Math.ceil(stopMs / 1000)
        await client.post(`/containers/${id}/stop?t=${seconds}`, {
          signal: closing.signal,
          timeoutMs: seconds * 1000 + STOP_GRACE_MS,
        })
        held.set(id, () => hold.release())
      })
    } catch (error) {
      hold.release()
      if (closing.signal.aborted) return
      const reason = reasonOf(error)
      log.warn({ backend, container: name }, `cannot stop container "${name}": ${reason}`)
    } finally {
      if (stopping.get(id) === state) stopping.delete(id)
    }
  }

  return withReasons(what, {
    setReplicas: (replicas, signal) =>
      engine.use(signal, (client) => set(client, replicas, signal)),
    async observed(signal) {
      const all = await engine.use(signal, (client) => list(client, signal))
      return all.filter(runs).length
    },
    close() {
      closing.abort(new Error('the actuator was closed'))
      for (const release of held.values()) release()
      held.clear()
      engine.close()
      return Promise.resolve()
    },
  })
}

/** By the name that the Docker source gives it, or by the address. */
export function isServerOf(container: Container, { id, url }: Parameters<IsServer>[0]): boolean {
  if (id === toId(container.name)) return true
  const at = URL.parse(url)
  if (at === null) return false
  const host = at.hostname.replace(/^\[|\]$/g, '')
  if (container.networks.some(({ address }) => address === host)) return true
  return container.published.some(
    ({ hostAddress, hostPort }) =>
      String(hostPort) === at.port &&
      (hostAddress === host || hostAddress === '0.0.0.0' || hostAddress === '::'),
  )
}

interface Limiter {
  run(act: () => Promise<void>): Promise<void>
}

/** At most `most` at a time; the others wait. */
function createLimiter(most: number): Limiter {
  const waiting: (() => void)[] = []
  let running = 0
  return {
    async run(act) {
      if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve))
      else running += 1
      try {
        await act()
      } finally {
        const next = waiting.shift()
        if (next === undefined) running -= 1
        else next()
      }
    },
  }
}
