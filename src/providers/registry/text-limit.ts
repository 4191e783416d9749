/**
 * Limits the memory for one registry's texts. A value beyond the limit becomes a fault, which is reported, and its text is
 * dropped immediately; the other values are not affected. Lists and events are weighed as they arrive.
 */
import type { KeyEntry } from '../layout.ts'

/** For all texts of one source together, in UTF-16 units. 100,000 typical objects need a third of it. */
export const MAX_SOURCE_CHARS: number = 64 << 20

/** Of one value: bytes where the registry counts them, else UTF-16 units. Readers report a longer value as a fault. */
export const MAX_VALUE_SIZE: number = 1024 ** 2

/** Keys of objects are far shorter; longer keys are ignored. */
export const MAX_PATH_LENGTH = 1_024

export interface TextLimit {
  /** The entry as it may be kept, in place of `before`. */
  take(entry: KeyEntry, before?: KeyEntry | null): KeyEntry
  release(entry: KeyEntry): void
  clear(): void
}

export function createTextLimit(maxChars: number = MAX_SOURCE_CHARS): TextLimit {
  const fault = `is not read: the source already holds ${Math.round(maxChars / (1 << 20))} MiB of text; remove something, and it is read with the next list`
  let weight = 0

  return {
    take(entry, before = null) {
      const others = weight - weightOf(before)
      const next = others + weightOf(entry)
      weight = next > maxChars ? others : next
      return next > maxChars ? { ...entry, text: null, fault } : entry
    },
    release(entry) {
      weight -= weightOf(entry)
    },
    clear() {
      weight = 0
    },
  }
}

/** JSON.parse needs 20 times the length of `{},{},{}`, so text that is denser than any valid object counts more. */
const CHARS_PER_MEMBER = 16
const [comma, brace, bracket] = [0x2c, 0x7b, 0x5b]

/** The weight of a longer text is computed once and kept. */
const LONG_CHARS = 4_096
const weights = new WeakMap<KeyEntry, number>()

function weightOf(entry: KeyEntry | null): number {
  if (entry === null || entry.text === null) return 0
  if (entry.text.length < LONG_CHARS) return weigh(entry.text)
  const weight = weights.get(entry) ?? weigh(entry.text)
  weights.set(entry, weight)
  return weight
}

function weigh(text: string): number {
  let members = 0
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (char === comma || char === brace || char === bracket) members += 1
  }
  return Math.max(text.length, members * CHARS_PER_MEMBER)
}
