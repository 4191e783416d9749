/**
 * Who may begin now, of many that belong to groups. Each group has its own line and its own bound, so that one whose members
 * take long holds up no other's; and beyond so many in all a group may have one under way, but no second.
 */
export interface FairQueue<T> {
  /** At the end of its group's line. */
  add(group: string, item: T): void
  /** What was begun has ended. */
  ended(group: string): void
  /** Begins what may begin; `start` answers whether it did: what is not wanted any more takes no place. */
  begin(start: (item: T) => boolean): void
}

interface Line<T> {
  items: T[]
  /** Those before it have been taken. */
  first: number
  underWay: number
}

export function createFairQueue<T>(mostOfOne: number, mostOfAll: number): FairQueue<T> {
  const lines = new Map<string, Line<T>>()
  /** Groups with somebody in line. */
  const waiting = new Set<string>()
  let underWay = 0

  function lineOf(group: string): Line<T> {
    const known = lines.get(group)
    if (known !== undefined) return known
    const line = { items: [], first: 0, underWay: 0 }
    lines.set(group, line)
    return line
  }

  function hasRoom({ underWay: own }: Line<T>): boolean {
    return own === 0 || (own < mostOfOne && underWay < mostOfAll)
  }

  function forget(group: string, line: Line<T>): void {
    waiting.delete(group)
    line.items = []
    line.first = 0
    if (line.underWay === 0) lines.delete(group)
  }

  return {
    add(group, item) {
      lineOf(group).items.push(item)
      waiting.add(group)
    },
    ended(group) {
      const line = lines.get(group)
      if (line === undefined) return
      line.underWay--
      underWay--
      if (line.underWay === 0 && !waiting.has(group)) lines.delete(group)
    },
    begin(start) {
      for (const group of waiting) {
        const line = lineOf(group)
        while (line.first < line.items.length && hasRoom(line)) {
          const item = line.items[line.first++]
          if (item === undefined || !start(item)) continue
          line.underWay++
          underWay++
        }
        if (line.first === line.items.length) forget(group, line)
      }
    },
  }
}
