/**
 * The instances that watchers of services had last: `use_previous_backends` uses them if nothing is found any more, and a
 * start while a registry is away. They are remembered over a restart for a limited time (`state_file_ttl`).
 */
import { isMap, type JsonMap } from '../../model/parsed.ts'
import { readInstance, toOutput, type Instance } from './instance.ts'

export interface Memory {
  /** Null: there are none, or they are too old. */
  previousOf(service: string, watcher: string): readonly Instance[] | null
  keep(service: string, known: ReadonlyMap<string, readonly Instance[]>): void
  /** Text for `restore` in a later process. */
  checkpoint(): string
  restore(checkpoint: string): void
}

interface Entry {
  readonly instances: readonly Instance[]
  /** When they were known, in ms since the epoch; null: since this process began. */
  readonly at: number | null
}

/** `now`: ms since the epoch. `maxAgeMs`: of those of an earlier process. */
export function createMemory(now: () => number, maxAgeMs: () => number): Memory {
  const entries = new Map<string, Entry>()
  const keyOf = (service: string, watcher: string): string => JSON.stringify([service, watcher])

  return {
    previousOf(service, watcher) {
      const entry = entries.get(keyOf(service, watcher))
      if (entry === undefined) return null
      return entry.at !== null && Math.abs(now() - entry.at) > maxAgeMs() ? null : entry.instances
    },
    keep(service, known) {
      for (const [watcher, instances] of known) {
        const key = keyOf(service, watcher)
        const before = entries.get(key)
        // What is only remembered gets no younger.
        if (before?.instances === instances || instances.length === 0) continue
        entries.set(key, { instances, at: null })
      }
    },
    checkpoint() {
      const at = now()
      const saved = [...entries].map(([key, entry]) => [
        key,
        { at: entry.at ?? at, instances: entry.instances.map(toOutput) },
      ])
      return JSON.stringify(Object.fromEntries(saved))
    },
    restore(checkpoint) {
      for (const [key, value] of Object.entries(readMap(checkpoint))) {
        if (!isMap(value) || typeof value['at'] !== 'number' || !Array.isArray(value['instances']))
          continue
        const instances = (value['instances'] as readonly unknown[]).flatMap((one) => {
          const read = readInstance(
            one,
            isMap(one) && typeof one['id'] === 'number' ? one['id'] : null,
          )
          return read.ok ? read.value : []
        })
        entries.set(key, { instances, at: value['at'] })
      }
    },
  }
}

function readMap(text: string): JsonMap {
  try {
    const value: unknown = JSON.parse(text)
    return isMap(value) ? value : {}
  } catch {
    return {}
  }
}
