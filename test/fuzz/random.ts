/** Seeded chance: the same seed gives the same choices, on every machine. */
export interface Chance {
  /** From 0 to below `end`. */
  below(end: number): number
  pick<T>(from: readonly T[]): T
  /** True once in `of` times. */
  once(of: number): boolean
}

export function createChance(seed: number): Chance {
  let state = seed >>> 0
  // Mulberry32: 32 bits of state are enough for choices, and two lines are easy to get right.
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (end: number): number => Math.floor(next() * end)
  return {
    below,
    pick<T>(from: readonly T[]): T {
      const picked = from[below(from.length)]
      if (picked === undefined) throw new RangeError('nothing to pick from')
      return picked
    },
    once: (of) => below(of) === 0,
  }
}
