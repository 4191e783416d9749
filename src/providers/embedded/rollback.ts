/** Detects that another store, or an earlier revision, was put in the place of the one read last. Outlives a watch, which a damaged store ends. */
import { readJsonMap } from '../registry/json-value.ts'

export interface StoreRollbackDetector {
  /** True if another store was read before, or this one at a later revision: it is a backup or a new store now. */
  isAhead(id: string, revision: number): boolean
  record(id: string, revision: number): void
  readonly checkpoint: string
  restore(text: string): void
}

export function createStoreRollbackDetector(): StoreRollbackDetector {
  let last: { readonly id: string; readonly revision: number } | null = null

  return {
    isAhead: (id, revision) => last !== null && (last.id !== id || revision < last.revision),
    record(id, revision) {
      last = { id, revision }
    },
    get checkpoint() {
      return last === null ? '' : JSON.stringify(last)
    },
    restore(text) {
      const map = readJsonMap(text)
      if (!map.ok) return
      const { id, revision } = map.value
      if (typeof id === 'string' && typeof revision === 'number') last = { id, revision }
    },
  }
}
