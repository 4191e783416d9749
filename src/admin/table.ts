/** GET /api/table: the routing table and rejected objects as JSON, in slices and without private keys. */
import { escapeUnshown, toJson } from './json.ts'

/** The result of control's table(). Further members of it and its entries are shown as they are. */
export interface TableView {
  readonly objects: Iterable<Entry>
  /** With the reason and the place in the source. */
  readonly setAside: Iterable<{ readonly kind: string; readonly id: string }>
}

export interface Entry {
  readonly kind: string
  readonly id: string
  readonly object?: object
}

export interface TableFilter {
  readonly kind: string | null
  readonly id: string | null
}

export function parseTableFilter(query: URLSearchParams): TableFilter {
  return { kind: query.get('kind'), id: query.get('id') }
}

/** One object per line. */
export function* tableText(table: TableView, filter: TableFilter): Generator<string> {
  const { objects, setAside, ...rest } = table
  yield '{'
  for (const [name, value] of Object.entries(rest)) {
    yield `${toJson(name)}:${toJson(value, redact)},\n`
  }
  yield '"objects":['
  let separator = '\n'
  for (const entry of objects) {
    if (!isWanted(entry.kind, entry.id, filter)) continue
    yield separator + entryText(entry)
    separator = ',\n'
  }
  yield '],\n"setAside":['
  separator = '\n'
  for (const entry of setAside) {
    if (!isWanted(entry.kind, entry.id, filter)) continue
    yield separator + toJson(entry, redact)
    separator = ',\n'
  }
  yield ']}\n'
}

/** Calling a replacer for each of the hundred members of an object takes most of the time, and few objects need it. */
function entryText(entry: Entry): string {
  const { object } = entry
  if (object === undefined) return toJson(entry, redact)
  const text = JSON.stringify(object)
  if (MAY_HOLD_KEY.test(text)) return toJson(entry, redact)
  const [head, tail = ''] = toJson({ ...entry, object: MARK }, redact).split(`"object":"${MARK}"`)
  return `${head}"object":${escapeUnshown(text)}${tail}`
}

const MARK = '(object)'
const MAY_HOLD_KEY = /PRIVATE KEY|"cert"|"(?:since|until|at|[^"]*At)":\d{11}/

function isWanted(kind: string, id: string, filter: TableFilter): boolean {
  return (filter.kind === null || filter.kind === kind) && (filter.id === null || filter.id === id)
}

const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----/

/**
 * Control hides the private keys that it knows; this is a second check. It hides a key beside a certificate, and PEM text of
 * a key anywhere, also inside a reason. An entry's own `key`, its place in the source, is shown.
 */
function redact(this: unknown, name: string, value: unknown): unknown {
  if (typeof value !== 'string') return value
  if (PRIVATE_KEY.test(value)) return '(hidden)'
  const besideCertificate =
    name === 'key' && typeof this === 'object' && this !== null && 'cert' in this
  return besideCertificate ? '(hidden)' : value
}
