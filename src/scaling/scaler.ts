/**
 * Scales the backends that have `scale`. On the main thread; it follows what is published and reads the scoreboard:
 *
 *   scoreboard --> meter --> autoscaler --\
 *   other instances, those who ask -------- decision --> actuator --> provider --> source --> table
 *   provider --> replicas ----------------/
 *
 * Every instance measures and decides; the one that the lock names acts.
 */
import type { Delta, PlacedBackend } from '../model/snapshot.ts'
import type { ScaleSpec } from '../model/scale.ts'
import type { ScaleReport } from '../observe/reports/scale-report.ts'
import type { Scoreboard, Slot } from '../scoreboard/scoreboard.ts'
import type { ActingLock } from './acting-lock.ts'
import { BackendScaler, type ScalerContext } from './backend-scaler.ts'
import { LoadMeter } from './load-meter.ts'
import type { Shared } from './measure-exchange.ts'
import { QueueSlots } from './queue-slots.ts'
import type { ScaleAnswer, ScaleRequest } from './scale-request.ts'

export interface ScalerOptions extends ScalerContext {
  readonly scoreboard: Pick<Scoreboard, 'slot'>
  readonly publisher: { listen(listener: { readonly onPlaced: (delta: Delta) => void }): void }
  readonly lock: ActingLock
}

export interface Scaler {
  start(): void
  /** What `start` does five times a second. */
  sample(): void
  /** Requests wait for a server of this backend. */
  wake(backend: string): void
  request(request: ScaleRequest): ScaleAnswer
  /** The declaration of a backend, for inputs; null: it has none. */
  specOf(backend: string): ScaleSpec | null
  /** Ids of backends with `scale`. */
  backends(): readonly string[]
  report(): ScaleReport
  /** Decides nothing more. Once `drained` settles, actuators are closed, in bounded time: replicas may serve until then. */
  stop(drained?: Promise<unknown>): Promise<void>
}

/** Each is asked about every 2 s. */
const MAX_BACKENDS = 500
const SAMPLE_MS = 200
const TICK_MS = 2_000
const LEAST_TICK_MS = 200

export function createScaler(options: ScalerOptions): Scaler {
  const { scoreboard, publisher, lock, exchange, now, log, onFault } = options
  const scalers = new Map<string, BackendScaler>()
  const specs = new Map<string, ScaleSpec>()
  const queues = new QueueSlots()
  /** Of backends that are no longer scaled, and have not ended. */
  const closing = new Map<string, Promise<void>>()
  let timer: NodeJS.Timeout | null = null
  let tickedAt = -Infinity
  let wasActing = false
  let isStopped = false

  publisher.listen({
    onPlaced({ upserts, deletes }) {
      for (const placed of upserts.frontends) queues.put(placed)
      for (const id of deletes.frontends) queues.delete(id)
      for (const placed of upserts.backends) {
        attempt(placed.object.id, () => follow(placed))
      }
      for (const id of deletes.backends) forget(id)
      if (upserts.frontends.length + deletes.frontends.length > 0) watchQueues()
    },
  })

  function attempt(backend: string, act: () => void): void {
    try {
      act()
    } catch (error) {
      onFault({ kind: 'backend', id: backend }, error)
    }
  }

  function follow({ object, slot: number, serverSlots }: PlacedBackend): void {
    const { id, scale } = object
    if (scale === null) {
      forget(id)
      return
    }
    const slot = scoreboard.slot(number)
    const known = scalers.get(id)
    if (known === undefined && scalers.size >= MAX_BACKENDS) {
      const reason = `${MAX_BACKENDS} others are, and more are not possible`
      log.error({ backend: id }, `backend "${id}" is not scaled: ${reason}`)
      return
    }
    const scaler =
      known ?? new BackendScaler(id, scale, new LoadMeter(slot, now()), options, closing.get(id))
    specs.set(id, scale)
    if (known === undefined) {
      scalers.set(id, scaler)
      scaler.meter.watchQueues(queueSlotsOf(id))
    } else known.update(scale)
    const servers = object.servers.flatMap(({ drain }, at) => {
      const of = serverSlots[at]
      return of === undefined ? [] : [{ slot: scoreboard.slot(of), drain }]
    })
    scaler.meter.update(slot, servers)
  }

  function forget(id: string): void {
    specs.delete(id)
    const scaler = scalers.get(id)
    if (scaler === undefined) return
    scalers.delete(id)
    const closed: Promise<void> = scaler
      .close()
      .catch((error: unknown) => onFault({ kind: 'backend', id }, error))
      .finally(() => {
        if (closing.get(id) === closed) closing.delete(id)
      })
    closing.set(id, closed)
  }

  function watchQueues(): void {
    for (const [id, { meter }] of scalers) meter.watchQueues(queueSlotsOf(id))
  }

  function queueSlotsOf(backend: string): readonly Slot[] {
    return queues.of(backend).map((number) => scoreboard.slot(number))
  }

  function sample(): void {
    const at = now()
    const isTick = at - tickedAt >= TICK_MS
    const isActing = lock.isActing()
    if (wasActing && !isActing) for (const scaler of scalers.values()) scaler.standDown()
    wasActing = isActing
    for (const [id, scaler] of scalers) {
      attempt(id, () => {
        scaler.meter.sample(at)
        if (!isTick && scaler.meter.waiting() > 0) scaler.wake()
      })
    }
    if (isTick) tick(at)
  }

  function tick(at: number): void {
    tickedAt = at
    const shared = new Map<string, Shared>()
    for (const [id, scaler] of scalers) {
      attempt(id, () => {
        const own = scaler.measure(at)
        if (own !== null) shared.set(id, own)
      })
    }
    exchange.publish(shared)
    for (const scaler of scalers.values()) scaler.begin()
  }

  return {
    start() {
      timer ??= setInterval(sample, SAMPLE_MS).unref()
    },
    sample,
    wake(backend) {
      if (isStopped) return
      scalers.get(backend)?.wake()
      // The instance that acts gets it at once.
      const at = now()
      if (!lock.isActing() && at - tickedAt >= LEAST_TICK_MS) tick(at)
    },
    request(request) {
      const { backend } = request
      if (isStopped) return { taken: false, refused: 'this program ends', isUnknown: false }
      const scaler = scalers.get(backend)
      if (scaler !== undefined) return scaler.request(request)
      const refused = `there is no backend "${backend}" with scale`
      return { taken: false, refused, isUnknown: true }
    },
    specOf: (backend) => specs.get(backend) ?? null,
    backends: () => [...scalers.keys()],
    report: () => ({
      acting: scalers.size > 0 && lock.isActing(),
      holder: lock.holder(),
      problem: lock.problem(),
      backends: [...scalers.values()].map((scaler) => scaler.report()),
    }),
    async stop(drained = Promise.resolve()) {
      if (timer !== null) clearInterval(timer)
      timer = null
      isStopped = true
      const released = lock.close()
      await drained.catch(() => {})
      for (const id of [...scalers.keys()]) forget(id)
      await Promise.all(closing.values())
      await released
    },
  }
}
