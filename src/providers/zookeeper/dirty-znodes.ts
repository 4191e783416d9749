/** The znodes that events have named since they were read last, and what of them may have changed. */
import { EVENT } from './client/protocol.ts'
import { below, parentOf } from './znodes.ts'

/** Bits. `gone`: it was removed, so that it is another znode if it is there now. */
export const PART = { data: 1, children: 2, gone: 4 } as const

export interface DirtyZnodes {
  readonly size: number
  /** `type`: one of EVENT. Returns whether it concerns the watch. */
  add(type: number, path: string): boolean
  /** There were more than are kept, so only a list will do. */
  readonly isOverflowing: boolean
  take(): ReadonlyMap<string, number>
}

/** To read more znodes again takes as long as a list. */
const MAX_DIRTY = 5_000

const PARTS: ReadonlyMap<number, number> = new Map<number, number>([
  [EVENT.created, PART.data | PART.children],
  [EVENT.deleted, PART.data | PART.gone],
  [EVENT.dataChanged, PART.data],
  [EVENT.childrenChanged, PART.data | PART.children],
])

/** `isKey`, `isNear`: as of TreeOptions. */
export function createDirtyZnodes(
  root: string,
  isKey: (path: string) => boolean,
  isNear: (path: string) => boolean = () => true,
): DirtyZnodes {
  let znodes = new Map<string, number>()
  let isOverflowing = false

  function mark(path: string, parts: number): void {
    const before = znodes.get(path)
    if (before === undefined && znodes.size >= MAX_DIRTY) isOverflowing = true
    else znodes.set(path, (before ?? 0) | parts)
  }

  return {
    get size() {
      return znodes.size
    },
    get isOverflowing() {
      return isOverflowing
    },
    add(type, path) {
      const relative = below(root, path)
      const parts = PARTS.get(type)
      if (relative === null || parts === undefined) return false
      if (relative !== '' && !isNear(relative)) return false
      mark(path, parts)
      // With its first child an empty znode becomes a mere parent, and with the last one that goes a key again.
      const isCount = type === EVENT.created || type === EVENT.deleted
      const parent = below(root, parentOf(path))
      if (isCount && parent !== null && isKey(parent)) mark(parentOf(path), PART.data)
      return true
    },
    take() {
      const taken = znodes
      znodes = new Map()
      isOverflowing = false
      return taken
    },
  }
}
