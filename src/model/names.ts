/** Names: ids of objects, keys of maps, names of fields and cookies. */
import { quote } from './parsed.ts'

/**
 * `server` and `middleware` are parts of another object that may have a key of their own in a registry, so that each writer
 * owns its key. Their ids are `backend/server` and `frontend/middleware`. A `host` is a certificate for all https listeners.
 */
export type ObjectKind = 'listener' | 'host' | 'backend' | 'server' | 'frontend' | 'middleware'

export const OBJECT_KINDS: readonly ObjectKind[] = [
  'listener',
  'host',
  'backend',
  'server',
  'frontend',
  'middleware',
]

export interface ObjectName {
  readonly kind: ObjectKind
  readonly id: string
}

// Ids appear in log lines, metric labels, JSON pointers and registry keys, so no character with a meaning there is allowed.
const ID = /^[A-Za-z0-9._@:-]{1,128}$/
export const MAX_ID_LENGTH = 128

/** Keys that careless code would look up in an object's prototype. They cannot be ids or options. */
const FORBIDDEN: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

export function isForbiddenKey(key: string): boolean {
  return FORBIDDEN.has(key)
}

/** Returns why `id` is not an id, or null. */
export function refuseId(id: string): string | null {
  // Paths that are normalised on their way, as those of URLs, lose `.` and `..`.
  if (FORBIDDEN.has(id) || id === '.' || id === '..') return `the id ${quote(id)} is reserved`
  if (ID.test(id)) return null
  return `the id must be 1 to 128 letters, digits or any of . _ - @ :, not ${quote(id)}`
}

/** The form of the ids of parts. */
const PART_FORMS: Readonly<Partial<Record<ObjectKind, string>>> = {
  server: 'BACKEND/SERVER',
  middleware: 'FRONTEND/MIDDLEWARE',
}

/** Returns why the id is not valid for an object of its kind, or null. */
export function refuseObjectName({ kind, id }: ObjectName): string | null {
  // A host may be a wildcard.
  if (kind === 'host' && id.startsWith('*.')) return refuseId(id.slice(2))
  const form = PART_FORMS[kind]
  if (form === undefined) return refuseId(id)
  const [owner = '', part, ...more] = id.split('/')
  if (part === undefined || more.length > 0)
    return `the id of a ${kind} is ${form}, not ${quote(id)}`
  return refuseId(owner) ?? refuseId(part)
}

/** As refuseId for a name in the table, which may be an id with the source that it is declared in: `b@redis`. */
export function refuseTableId(name: string): string | null {
  const at = name.lastIndexOf('@')
  if (at <= 0 || name.length <= MAX_ID_LENGTH) return refuseId(name)
  return refuseId(name.slice(0, at)) ?? refuseId(name.slice(at + 1))
}

/** Of an object with a key of its own that belongs to another: `backend/server`, `frontend/middleware`. Ids hold no slash. */
export function joinParts(whole: string, part: string): string {
  return `${whole}/${part}`
}

/** The name of a listener with a backend among frontends, in logs and metrics. No frontend has it: ids hold no slash. */
export function listenerRouteId(listener: string): string {
  return `listener/${listener}`
}

/** Without a slash, the part's own id is ''. */
export function splitParts(id: string): [whole: string, part: string] {
  const slash = id.indexOf('/')
  return slash === -1 ? [id, ''] : [id.slice(0, slash), id.slice(slash + 1)]
}

/** One character of a token, as a regular expression: RFC 9110 section 5.6.2. */
export const TCHAR = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]"
const TOKEN = new RegExp(`^${TCHAR}{1,128}$`)

/** Whether it is a token of at most 128 characters: the name of a header field or a cookie. */
export function isToken(text: string): boolean {
  return TOKEN.test(text)
}
