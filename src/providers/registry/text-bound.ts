/**
 * How much of a registry is held, whoever writes to it. A value beyond the bound becomes a fault, so that it is told and
 * the others go on; its text is let go at once. What a list or an event brings is weighed on arrival, before it can pile up.
 */
import type { KeyEntry } from '../layout.ts'

/** Of all texts of one source together, in UTF-16 units. 100,000 ordinary objects have a third of it. */
export const maxSourceChars: number = 64 << 20

/** A key of ours is far shorter; what is longer is nobody's object. */
export const maxPathLength = 1_024

export interface TextBound {
  /** The entry as it may be held, in the place of `before`. */
  take(entry: KeyEntry, before?: KeyEntry | null): KeyEntry
  release(entry: KeyEntry): void
  clear(): void
}

export function createTextBound(maxChars: number = maxSourceChars): TextBound {
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

/** As JSON.parse makes 20 times its length of `{},{},{}`, text that is denser than any object of ours weighs more. */
const charsPerMember = 16
const [comma, brace, bracket] = [0x2c, 0x7b, 0x5b]

/** A long text is looked through once, on its way from a list to the mirror and out of it. */
const longChars = 4_096
const weights = new WeakMap<KeyEntry, number>()

function weightOf(entry: KeyEntry | null): number {
  if (entry === null || entry.text === null) return 0
  if (entry.text.length < longChars) return weigh(entry.text)
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
  return Math.max(text.length, members * charsPerMember)
}
