/** Keys that were read and are not in the mirror yet. Their texts are limited, as those of the mirror are. */
import type { KeyEntry } from '../layout.ts'
import { createTextLimit } from './text-limit.ts'

export interface EntryMap {
  /** The last entry of a path counts. Null: there is no such key. */
  set(path: string, entry: KeyEntry | null): void
  entries(): readonly KeyEntry[]
  /** By path. First those that free memory. */
  changes(): readonly (readonly [path: string, entry: KeyEntry | null])[]
}

export function createEntryMap(): EntryMap {
  const byPath = new Map<string, KeyEntry | null>()
  const limit = createTextLimit()

  return {
    set(path, entry) {
      const before = byPath.get(path) ?? null
      if (entry !== null) byPath.set(path, limit.take(entry, before))
      else {
        byPath.set(path, null)
        if (before !== null) limit.release(before)
      }
    },
    entries: () => [...byPath.values()].filter((entry) => entry !== null),
    changes: () => [...byPath].toSorted(([, a], [, b]) => Number(hasText(a)) - Number(hasText(b))),
  }
}

function hasText(entry: KeyEntry | null): boolean {
  return entry !== null && entry.text !== null
}
