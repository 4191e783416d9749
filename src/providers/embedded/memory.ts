/** Which store was read last, and up to which revision: kept where a watch ends, as a store that is damaged ends it. */
import { readJsonMap } from '../registry/json-value.ts'

export interface StoreMemory {
  /** Another store was read, or this one at a later revision: what stands there now is a backup, or was begun anew. */
  isAhead(id: string, revision: number): boolean
  take(id: string, revision: number): void
  readonly text: string
  recall(text: string): void
}

export function createStoreMemory(): StoreMemory {
  let seen: { readonly id: string; readonly revision: number } | null = null

  return {
    isAhead: (id, revision) => seen !== null && (seen.id !== id || revision < seen.revision),
    take(id, revision) {
      seen = { id, revision }
    },
    get text() {
      return seen === null ? '' : JSON.stringify(seen)
    },
    recall(text) {
      const map = readJsonMap(text)
      if (!map.ok) return
      const { id, revision } = map.value
      if (typeof id === 'string' && typeof revision === 'number') seen = { id, revision }
    },
  }
}
