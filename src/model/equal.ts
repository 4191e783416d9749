/** Deep equality of JSON-like data: an object that has not changed is not parsed again. */

// Deeper data counts as changed, so that a hostile source cannot exhaust the stack.
const MAX_DEPTH = 64

export function isEqual(a: unknown, b: unknown, depth: number = 0): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (depth > MAX_DEPTH) return false
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false
    for (let index = 0; index < a.length; index++) {
      if (!isEqual(a[index], b[index], depth + 1)) return false
    }
    return true
  }
  if (Array.isArray(b)) return false
  return areEqualRecords(a as Record<string, unknown>, b as Record<string, unknown>, depth)
}

function areEqualRecords(
  a: Record<string, unknown>,
  b: Record<string, unknown>,
  depth: number,
): boolean {
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  for (const key of keys) {
    if (!Object.hasOwn(b, key) || !isEqual(a[key], b[key], depth + 1)) return false
  }
  return true
}

/** `known` if it is equal, else `value`: what compares by identity later finds nothing changed. */
export function reuseIfEqual<T>(known: T | null | undefined, value: T): T {
  return known !== null && known !== undefined && isEqual(known, value) ? known : value
}
