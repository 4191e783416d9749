/**
 * Variables of the environment as keys, as confd reads them: `/database/host` is in DATABASE_HOST. An underscore is always a slash, so
 * that MY_APP_PORT is `/my/app/port`. They never change.
 */
import type { KeyText } from './key-source.ts'
import { isWithin, joinKey } from './key-paths.ts'

export function readEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  root: string,
): ReadonlyMap<string, KeyText> {
  const keys = new Map<string, KeyText>()
  for (const [name, text] of Object.entries(env)) {
    const key = toVariableKey(name)
    if (text === undefined || !isWithin(key, root)) continue
    // Node reads bytes that are not UTF-8 as this character.
    keys.set(key, text.includes('\ufffd') ? { fault: 'is not UTF-8 text' } : { text })
  }
  return keys
}

/** Of a variable, or of a key that is written with underscores. */
export function toVariableKey(name: string): string {
  return joinKey(name.toLowerCase().replaceAll('_', '/'))
}
