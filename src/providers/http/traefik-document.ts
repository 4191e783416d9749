/**
 * Traefik's dynamic configuration, as its HTTP and file providers read it, as the keys that its KV providers have for the same:
 * `http/routers/shop/entryPoints/0`. A map without members is `true`, as `tls: {}` or a middleware without options.
 */
import { Unreadable } from '../../document/tree.ts'
import { readForeign, type Notation } from '../../document/document.ts'
import type { Problem } from '../../model/problem.ts'
import { isMap, quote } from '../../model/parsed.ts'
import type { KeyEntry } from '../layout.ts'

export type TraefikDocument =
  | {
      readonly readable: true
      readonly entries: readonly KeyEntry[]
      readonly problems: readonly Problem[]
    }
  | { readonly readable: false; readonly reason: string }

const MAX_ENTRIES = 500_000
const MAX_PROBLEMS = 100
/** Of the dynamic configuration; what else there is was meant for another file. */
const SECTIONS = ['http', 'tcp', 'udp', 'tls']

/** `place`: names the document in keys. */
export function readTraefikDocument(
  text: string,
  notation: Notation,
  place: string,
): TraefikDocument {
  let root: Readonly<Record<string, unknown>>
  try {
    root = readForeign(text, notation).root
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    return { readable: false, reason: error.message }
  }
  const entries: KeyEntry[] = []
  const problems: Problem[] = []

  function complain(path: string, message: string): void {
    if (problems.length === MAX_PROBLEMS) return
    problems.push({ kind: 'source', id: '', message, source: '', key: `${place}#/${path}` })
  }

  function add(path: string, value: unknown): void {
    if (entries.length >= MAX_ENTRIES) return
    if (Array.isArray(value)) {
      for (const [at, item] of value.entries()) add(`${path}/${at}`, item)
    } else if (isMap(value)) {
      const members = Object.entries(value)
      if (members.length === 0) put(path, 'true')
      for (const [name, member] of members) {
        if (name.includes('/') || name === '') {
          complain(path, `the name ${quote(name)} cannot be read: it must have no slash`)
        } else add(`${path}/${name}`, member)
      }
    } else if (value !== null && value !== undefined) {
      put(path, String(value))
    }
  }

  function put(path: string, text: string): void {
    entries.push({ path, key: `${place}#/${path}`, text })
  }

  for (const [name, section] of Object.entries(root)) {
    if (!SECTIONS.includes(name.toLowerCase())) {
      complain(name, `${quote(name)} is no section of Traefik's dynamic configuration`)
    } else if (isMap(section)) {
      for (const [kind, members] of Object.entries(section)) add(`${name}/${kind}`, members)
    } else if (section !== null) {
      return { readable: false, reason: `${name} must be a map, not ${quote(section)}` }
    }
  }
  if (entries.length >= MAX_ENTRIES) {
    return { readable: false, reason: `has more than ${MAX_ENTRIES} values` }
  }
  return { readable: true, entries, problems }
}
