/** `scaling.lock` of the settings: the registry by which several instances decide which of them scales, and say what they measure. */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { withFiles } from '../control/sources/read-files.ts'
import type { Settings } from '../model/settings.ts'
import type { Log } from '../observe/log.ts'
import { openLater } from '../providers/registry/lazy-keys.ts'
import type { LeaseWorld } from '../providers/registry/lease.ts'
import { type ActingLock, ALONE } from '../scaling/acting-lock.ts'
import { type MeasureExchange, NO_EXCHANGE } from '../scaling/measure-exchange.ts'
import { createRegistryExchange } from '../scaling/registry-exchange.ts'
import { createRegistryLock } from '../scaling/registry-lock.ts'
import { openKeysBeside } from './keys-below.ts'

export interface ScalingRegistry {
  readonly lock: ActingLock
  readonly exchange: MeasureExchange
  /** From here on this instance may act. */
  begin(): void
  /** In bounded time; never rejects. */
  close(): Promise<void>
}

const FOLDER = 'scaling'
const MAX_HOST = 48

const WORLD: LeaseWorld = {
  now: () => performance.now(),
  sleep: (ms, signal) => delay(ms, undefined, { signal, ref: false }),
}

/**
 * Without `scaling.lock` this instance is alone. `onWaiting`: requests for a backend begin to wait at another instance. Throws if a
 * file of the source cannot be read.
 */
export function openScalingRegistry(
  config: string,
  { scaling, sources }: Pick<Settings, 'scaling' | 'sources'>,
  log: Log,
  onWaiting: (backend: string) => void,
): ScalingRegistry {
  const spec = sources.find(({ name }) => name === scaling.lock)
  if (spec === undefined) {
    return { lock: ALONE, exchange: NO_EXCHANGE, begin() {}, close: () => Promise.resolve() }
  }
  const whole = withFiles(spec, config)
  const keys = openLater(() => openKeysBeside(whole, FOLDER))
  const instance = scaling.instance ?? `${hostname().slice(0, MAX_HOST)}:${process.pid}`
  const id = randomUUID()
  const lock = createRegistryLock({ keys, instance, id, world: WORLD, log })
  const exchange = createRegistryExchange({
    ...{ keys, id, world: WORLD, log },
    isActing: lock.isActing,
    onWaiting,
  })
  return {
    lock,
    exchange,
    begin() {
      lock.begin()
      exchange.begin()
    },
    async close() {
      await Promise.all([lock.close(), exchange.close()])
      await keys.close().catch(() => {})
    },
  }
}
