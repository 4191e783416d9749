/**
 * Hashes keys to two seeded numbers. The multipliers and the initial values depend on the seed, so that a client that does not
 * know it cannot choose keys that collide.
 */

/** Writes two Int32 of a text, never both 0, to `into`: the hot path allocates no BigInt. */
export function hashKey(text: string, seed: number, into: Int32Array): void {
  let one = scattered(seed)
  let two = scattered(seed ^ 0x5bd1e995)
  const first = scattered(one ^ 0x2545f491) | 1
  const second = scattered(two ^ 0x1b873593) | 1
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    one = Math.imul(one ^ code, first)
    one ^= one >>> 15
    two = Math.imul(two ^ code, second)
    two ^= two >>> 13
  }
  one = scattered(one)
  two = scattered(two)
  into[0] = one === 0 && two === 0 ? 1 : one
  into[1] = two
}

/** Every bit of the result depends on every bit of the number. */
function scattered(number: number): number {
  let bits = Math.imul(number ^ (number >>> 16), 0x21f0aaad)
  bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97)
  return bits ^ (bits >>> 15)
}
