/**
 * Traefik's document, as its file and HTTP providers read it, as the keys of its tree: `http: { routers: { shop: { rule } } }` is
 * `http/routers/shop/rule`, and items of lists are numbered.
 */
import { isMap, type JsonMap } from '../../../model/parsed.ts'
import type { KeyEntry } from '../../layout.ts'

const MAX_DEPTH = 24

/** `root`: a document that was read with limits. Deeper values are not read. */
export function toTraefikEntries(root: JsonMap): readonly KeyEntry[] {
  const entries: KeyEntry[] = []

  function add(value: unknown, path: readonly string[]): void {
    const children: readonly (readonly [string, unknown])[] = Array.isArray(value)
      ? value.map((item: unknown, at) => [String(at), item] as const)
      : isMap(value)
        ? Object.entries(value)
        : []
    if (children.length > 0) {
      if (path.length >= MAX_DEPTH) return
      for (const [step, child] of children) add(child, [...path, step])
    } else if (!Array.isArray(value)) {
      // A name with a slash would be another path.
      const isPath = path.every((step) => !step.includes('/'))
      const fault = isPath ? {} : { fault: 'has a / in its name' }
      const written = path.map((step) => step.replaceAll('/', '|')).join('/')
      entries.push({
        path: written,
        key: path.join('/'),
        text: isPath ? toText(value) : null,
        ...fault,
      })
    }
  }

  add(root, [])
  return entries
}

/** `compress: {}` and `tls:` are there without a value. */
function toText(value: unknown): string {
  return value === null || typeof value === 'object' ? '' : String(value)
}
