/** The text of a registry's value, or why it has none. */
import type { KeyEntry } from '../layout.ts'
import { MAX_VALUE_SIZE } from './text-limit.ts'

type ValueText = Pick<KeyEntry, 'text' | 'fault'>

export const TOO_LONG: ValueText = { text: null, fault: 'is longer than 1 MiB' }

const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function toValueText(bytes: Uint8Array): ValueText {
  if (bytes.length > MAX_VALUE_SIZE) return TOO_LONG
  const text = decodeText(bytes)
  return text === null ? { text, fault: 'is not UTF-8 text' } : { text }
}

/** Null: it is not UTF-8. */
export function decodeText(bytes: Uint8Array): string | null {
  try {
    return DECODER.decode(bytes)
  } catch {
    return null
  }
}
