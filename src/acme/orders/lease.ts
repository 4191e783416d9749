/**
 * The lock of a name: the record of its order. An instance that takes it over carries on with the order as it is. See
 * providers/registry/lease.ts.
 */
import {
  createLeases as createRecordLeases,
  type Lease as RecordLease,
  type LeaseTimes,
} from '../../providers/registry/lease.ts'
import type { RecordStore } from '../storage/record-store.ts'
import type { OrderRecord } from '../storage/records.ts'
import type { AcmeWorld } from './world.ts'

export { LeaseLost, type LeaseTimes } from '../../providers/registry/lease.ts'

export const LEASE: LeaseTimes = { leaseMs: 15_000, beatMs: 4_000 }

export interface Lease extends Omit<RecordLease<OrderRecord>, 'update' | 'release' | 'isHeld'> {
  /** Tried until it is done, or the order is another's: then it rejects with LeaseLost. */
  update(change: Partial<Pick<OrderRecord, 'order' | 'challenges'>>): Promise<void>
  /** Deletes the record, unless it is another's. An order that has begun and is not done is left to all instances. */
  release(isDone: boolean): Promise<void>
}

export interface Leases {
  /** Null: another instance holds it. */
  take(name: string): Promise<Lease | null>
}

/** `holder`: of this process alone. */
export function createLeases(
  store: RecordStore,
  holder: string,
  world: AcmeWorld,
  stopping: AbortSignal,
  times: LeaseTimes = LEASE,
): Leases {
  const leases = createRecordLeases<OrderRecord>({
    store: {
      read: (name) => store.read('orders', name),
      write: (name, record, expected, isBeat) =>
        store.write('orders', name, record, expected, isBeat),
      remove: (name, expected) => store.remove('orders', name, expected),
    },
    holder,
    fresh: () => ({ startedAt: world.date(), order: null, challenges: [] }),
    describe: (name) => `the order of ${name}`,
    isKept: (name) => store.all('orders').has(name),
    ...{ world, times, stopping },
  })

  return {
    async take(name) {
      const lease = await leases.take(name)
      if (lease === null) return null
      return {
        ...lease,
        release: (isDone) =>
          lease.release((record) => (isDone || record.order === null ? null : record)),
      }
    },
  }
}
