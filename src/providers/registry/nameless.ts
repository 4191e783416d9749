/** Keys below a prefix that no object can have, because they are no text or too long. They are reported together. */
import type { Problem } from '../../model/problem.ts'
import { MAX_PATH_LENGTH } from './text-limit.ts'

export interface Nameless {
  readonly count: number
  /** As it is shown. */
  readonly first: string
}

const SHOWN_BYTES = 80

/** The beginning of an invalid key, for messages: `/vulcand/caf\xe9`. */
export function printable(key: Buffer): string {
  const text = key.toString('latin1', 0, SHOWN_BYTES)
  return text.replace(/[^ -~]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

/** `prefix`: as the registry has it. None if there are no such keys. */
export function namelessProblems(
  { count, first }: Nameless,
  source: string,
  prefix: string,
): readonly Problem[] {
  if (count === 0) return []
  const message = `${count} ${count === 1 ? 'key' : 'keys'} below "${prefix}" cannot be read: not UTF-8, or longer than ${MAX_PATH_LENGTH} bytes; the first is "${first}"; remove or rename them`
  return [{ kind: 'source', id: '', message, source, key: prefix }]
}
