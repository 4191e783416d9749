/**
 * The index of the list of services that was read last, by data center. They outlive a watch and a process: a lower index
 * means that Consul has gone back to an earlier state. A backup was restored, or a server that has just started lists what it
 * has loaded so far.
 */
import { readJsonMap } from '../registry/json-value.ts'

export interface SeenIndexes {
  /** Of one data center; null: the agent's own. */
  of(datacenter: string | null): SeenIndex
  readonly checkpoint: string
  /** Anything but a checkpoint is ignored. */
  restore(text: string): void
}

export interface SeenIndex {
  isAhead(index: bigint | null): boolean
  record(index: bigint | null): void
}

const MAX_DATACENTERS = 1_000

export function createSeenIndexes(): SeenIndexes {
  const seen = new Map<string, bigint>()

  return {
    of(datacenter) {
      const key = datacenter ?? ''
      return {
        isAhead: (index) => index !== null && index < (seen.get(key) ?? 0n),
        record(index) {
          if (index !== null) seen.set(key, index)
        },
      }
    },
    get checkpoint() {
      return JSON.stringify(Object.fromEntries([...seen].map(([key, one]) => [key, String(one)])))
    },
    restore(text) {
      const map = readJsonMap(text)
      if (!map.ok) return
      for (const [key, index] of Object.entries(map.value).slice(0, MAX_DATACENTERS)) {
        if (typeof index === 'string' && /^\d{1,19}$/.test(index)) seen.set(key, BigInt(index))
      }
    },
  }
}
