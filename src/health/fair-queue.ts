/**
 * A queue of items that belong to groups, with a limit of items in progress for each group and for all. A slow group delays
 * no other: beyond the limit for all, each group may still have one item in progress.
 */
export interface FairQueue<T> {
  /** Adds the item at the end of its group. */
  add(group: string, item: T): void
  /** An item of the group that was started has ended. */
  ended(group: string): void
  /** Starts items as far as the limits allow; `start` returns false for an item that is no longer wanted. */
  begin(start: (item: T) => boolean): void
}

interface Line<T> {
  items: T[]
  /** Index of the first item that was not started. */
  first: number
  inProgress: number
}

export function createFairQueue<T>(maxOfGroup: number, maxOfAll: number): FairQueue<T> {
  const lines = new Map<string, Line<T>>()
  /** Groups with items that were not started. */
  const waiting = new Set<string>()
  let inProgress = 0

  function lineOf(group: string): Line<T> {
    const known = lines.get(group)
    if (known !== undefined) return known
    const line = { items: [], first: 0, inProgress: 0 }
    lines.set(group, line)
    return line
  }

  function hasRoom({ inProgress: own }: Line<T>): boolean {
    return own === 0 || (own < maxOfGroup && inProgress < maxOfAll)
  }

  function forget(group: string, line: Line<T>): void {
    waiting.delete(group)
    line.items = []
    line.first = 0
    if (line.inProgress === 0) lines.delete(group)
  }

  return {
    add(group, item) {
      lineOf(group).items.push(item)
      waiting.add(group)
    },
    ended(group) {
      const line = lines.get(group)
      if (line === undefined) return
      line.inProgress--
      inProgress--
      if (line.inProgress === 0 && !waiting.has(group)) lines.delete(group)
    },
    begin(start) {
      for (const group of waiting) {
        const line = lineOf(group)
        while (line.first < line.items.length && hasRoom(line)) {
          const item = line.items[line.first++]
          if (item === undefined || !start(item)) continue
          line.inProgress++
          inProgress++
        }
        if (line.first === line.items.length) forget(group, line)
      }
    },
  }
}
