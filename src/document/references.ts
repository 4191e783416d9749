/**
 * References in the text of a file: `${NAME}` and `${NAME:-default}` to the environment, `${file:/run/secrets/x}` to a file.
 * `$${` is a plain `${`. Names are upper case, so the `${1}` of a rewrite and most regular expressions are no references. Keys
 * of maps are left alone. Pure: the environment and the files are arguments.
 */
import { messageOf } from '../model/error-message.ts'
import { flaw, isMap, type Flaw, type Path } from '../model/parsed.ts'

export interface ReferenceWorld {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Returns the text of a file by its path beside the declaration; throws if it cannot be read. */
  readonly readFile: (path: string) => string
}

export interface Resolved {
  /** The same object if it has no reference; a value that cannot be resolved is undefined. */
  readonly value: unknown
  /** The inserted texts, each once: they must not be shown. */
  readonly secrets: readonly string[]
  /** The places of references. */
  readonly references: readonly Reference[]
  readonly faults: readonly Flaw[]
}

/** A scalar that contains a reference, or is one reference and nothing else. */
export interface Reference {
  readonly path: Path
  readonly whole: boolean
  /** Of a label: commas separate the items where a list is needed. */
  readonly isList?: boolean
}

/** The end of the reason for a missing variable. */
export const NOT_SET = 'is not set, or empty'
export const MAX_REFERENCED_BYTES: number = 64 * 1024
/** For one object: a long list of references must not become a gigabyte. */
const MAX_TOTAL = 1024 ** 2
/** Deeper than both readers accept. */
const MAX_DEPTH = 64
const REFERENCE = /\$\$\{|\$\{(?:([A-Z_][A-Z0-9_]*)(?::-([^}]*))?|file:([^}]+))\}/g
const WHOLE = /^\$\{(?:[A-Z_][A-Z0-9_]*(?::-[^}]*)?|file:[^}]+)\}$/

/** The value as a file must write it, so that its texts are no references. */
export function escapeReferences(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('${', () => '$${')
  if (Array.isArray(value)) return value.map(escapeReferences)
  if (!isMap(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, escapeReferences(item)]),
  )
}

export function resolveReferences(value: unknown, world: ReferenceWorld): Resolved {
  const secrets = new Set<string>()
  const faults: Flaw[] = []
  const references: Reference[] = []
  const path: (string | number)[] = []
  let left = MAX_TOTAL

  function resolve(value: unknown): unknown {
    if (typeof value === 'string') return value.includes('${') ? resolveText(value) : value
    if (typeof value !== 'object' || value === null || path.length > MAX_DEPTH) return value
    return Array.isArray(value) ? resolveList(value) : resolveMap(value)
  }

  function resolveList(list: readonly unknown[]): unknown {
    let isSame = true
    const resolved = list.map((item, at) => {
      const found = resolveAt(at, item)
      isSame &&= found === item
      return found
    })
    return isSame ? list : resolved
  }

  function resolveMap(map: object): unknown {
    let isSame = true
    const resolved = Object.entries(map).map(([key, item]): [string, unknown] => {
      const found = resolveAt(key, item)
      isSame &&= found === item
      return [key, found]
    })
    return isSame ? map : Object.fromEntries(resolved)
  }

  function resolveAt(step: string | number, value: unknown): unknown {
    path.push(step)
    const resolved = resolve(value)
    path.pop()
    return resolved
  }

  function resolveText(text: string): string | undefined {
    const before = faults.length
    let refers = false
    const resolved = text.replace(
      REFERENCE,
      (_whole, name?: string, normal?: string, file?: string) => {
        refers ||= file !== undefined || name !== undefined
        if (file !== undefined) return take(textOfFile(file, world.readFile))
        if (name === undefined) return '${'
        // Compose passes an unset variable as an empty one.
        const found = world.env[name] || undefined
        if (found === undefined && normal !== undefined) return normal
        return take(found ?? { why: `the variable ${name} ${NOT_SET}` })
      },
    )
    if (faults.length > before) return undefined
    if (refers) references.push({ path: [...path], whole: WHOLE.test(text) })
    return resolved
  }

  function take(found: string | { readonly why: string }): string {
    if (typeof found !== 'string') return complain(found.why)
    left -= found.length
    if (left < 0) return complain(`its references make more than ${MAX_TOTAL} characters of it`)
    if (found !== '') secrets.add(found)
    return found
  }

  function complain(why: string): string {
    faults.push(flaw([...path], why))
    return ''
  }

  const resolved = resolve(value)
  return { value: resolved, secrets: [...secrets], references, faults }
}

function textOfFile(
  path: string,
  read: ReferenceWorld['readFile'],
): string | { readonly why: string } {
  try {
    const text = read(path)
    if (text.length > MAX_REFERENCED_BYTES) throw new Error('it is larger than 64 KiB')
    return text.replace(/\r?\n$/, '')
  } catch (error) {
    const why = messageOf(error)
    return { why: `cannot read the file ${JSON.stringify(path)}: ${why}` }
  }
}
