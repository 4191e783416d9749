/** What differs between two versions of an object, and what of an object is a secret. */
import { redactValue } from '../../control/redact.ts'
import { HIDDEN } from '../../model/secrets.ts'
import { isEqual } from '../../model/equal.ts'
import { isMap, quote } from '../../model/parsed.ts'

export interface Change {
  /** `timeouts.head`; empty: the whole object. */
  readonly path: string
  /** As JSON, cut if it is long; null: it was not there. */
  readonly from: string | null
  readonly to: string | null
}

const MAX_CHANGES = 20
const MAX_CHARS = 200
const MAX_DEPTH = 12

/** Secrets are hidden. */
export function changesOf(before: unknown, after: unknown): readonly Change[] {
  const found: Change[] = []
  collect(before, after, hideKeys(before), hideKeys(after), '', 0, found)
  if (found.length <= MAX_CHANGES) return found
  const more = `and ${found.length - MAX_CHANGES} more`
  return [...found.slice(0, MAX_CHANGES), { path: more, from: null, to: null }]
}

function collect(
  before: unknown,
  after: unknown,
  shownBefore: unknown,
  shownAfter: unknown,
  path: string,
  depth: number,
  found: Change[],
): void {
  if (found.length > MAX_CHANGES * 10 || isEqual(before, after)) return
  if (!isMap(before) || !isMap(after) || depth === MAX_DEPTH) {
    found.push({ path, from: show(shownBefore), to: show(shownAfter) })
    return
  }
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const step = /^[\w-]{1,64}$/.test(name) ? name : quote(name)
    const at = path === '' ? step : `${path}.${step}`
    const [a, b] = [memberOf(shownBefore, name), memberOf(shownAfter, name)]
    collect(memberOf(before, name), memberOf(after, name), a, b, at, depth + 1, found)
  }
}

function memberOf(value: unknown, name: string): unknown {
  return isMap(value) && Object.hasOwn(value, name) ? value[name] : undefined
}

function show(value: unknown): string | null {
  if (value === undefined) return null
  const text = JSON.stringify(value)
  return text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}...` : text
}

const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----/
/** vulcand's clients decode its key as base64. */
export const HIDDEN_BASE64: string = Buffer.from(HIDDEN).toString('base64')

/** The value without private keys, and without what is secret by its name. */
export function hideKeys(value: unknown): unknown {
  return hidePems(redactValue(value))
}

function hidePems(value: unknown): unknown {
  if (typeof value === 'string') return PRIVATE_KEY.test(value) ? HIDDEN : value
  if (Array.isArray(value)) return value.map(hidePems)
  if (!isMap(value)) return value
  const isPair = 'cert' in value && 'key' in value
  const isVulcand = 'Cert' in value && 'Key' in value
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => {
      if (isPair && name === 'key' && typeof item === 'string') return [name, HIDDEN]
      if (isVulcand && name === 'Key' && typeof item === 'string') return [name, HIDDEN_BASE64]
      return [name, hidePems(item)]
    }),
  )
}

/** The path of a text that was shown in place of a secret: writing it would lose the secret. Null: there is none. */
export function findHidden(value: unknown, path = ''): string | null {
  if (typeof value === 'string') {
    return value.includes(HIDDEN) || value === HIDDEN_BASE64 ? path : null
  }
  if (typeof value !== 'object' || value === null) return null
  for (const [name, item] of Object.entries(value)) {
    const found = findHidden(item, path === '' ? name : `${path}.${name}`)
    if (found !== null) return found
  }
  return null
}
