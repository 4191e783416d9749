/**
 * Traefik's dynamic configuration, as its HTTP and file providers read it, as the keys that its KV providers have for the same:
 * `http/routers/shop/entryPoints/0`. A map without members is `true`, as `tls: {}` or a middleware without options.
 */
import type { Problem } from '../../../model/problem.ts'
import { isMap, quote, type JsonMap } from '../../../model/parsed.ts'
import type { KeyEntry, Layout } from '../../layout.ts'

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

/** `keyOf` names a path in messages. `root` was read with a limit on its depth. */
export function readTraefikDocument(
  root: JsonMap,
  layout: Layout,
  keyOf: (path: string) => string,
): TraefikDocument {
  const entries: KeyEntry[] = []
  const problems = new Map<string, Problem>()

  function complain(path: string, message: string, level?: 'warning'): void {
    if (problems.size === MAX_PROBLEMS) return
    const problem = { kind: 'source', id: '', message, source: '', key: keyOf(path) } as const
    problems.set(path, level === undefined ? problem : { ...problem, level })
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
    if (layout.groupOf(path) !== null) entries.push({ path, key: keyOf(path), text })
    else {
      // `http/serversTransports/one`; without a name it is an empty section.
      const [protocol, section, name] = path.split('/')
      if (name !== undefined) complain(`${protocol}/${section}/${name}`, 'is not read', 'warning')
    }
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
  return { readable: true, entries, problems: [...problems.values()] }
}
