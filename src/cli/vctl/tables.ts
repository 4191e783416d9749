/** Objects as vctl shows them: a heading in brackets, then columns with five spaces between them. */
import { escapeControls, isMap, type JsonMap } from '../../model/parsed.ts'
import type { VctlKind } from './command.ts'

const GAP = 5

/** `title`: `Backends`, or of one object `Backend`. */
export function toTable(kind: VctlKind, title: string, objects: readonly JsonMap[]): string {
  const { head, cells } = COLUMNS[kind]
  const sorted = kind === 'middleware' ? objects.toSorted(byPriority) : objects
  return `\n[${title}]\n${alignTable([head, ...sorted.map(cells)])}`
}

/** Each line ends. */
export function alignTable(rows: readonly (readonly string[])[]): string {
  const shown = rows.map((row) => row.map(escapeControls))
  const widths: number[] = []
  for (const row of shown) {
    row.forEach((cell, at) => (widths[at] = Math.max(widths[at] ?? 0, [...cell].length)))
  }
  const line = (row: readonly string[]): string =>
    row.map((cell, at) => (at === row.length - 1 ? cell : pad(cell, widths[at] ?? 0))).join('')
  return shown.map((row) => `${line(row)}\n`).join('')
}

function pad(cell: string, width: number): string {
  return cell + ' '.repeat(width - [...cell].length + GAP)
}

interface Columns {
  readonly head: readonly string[]
  readonly cells: (object: JsonMap) => readonly string[]
}

/** Of each kind; `cells` takes what the API responds, which may lack any member. */
const COLUMNS: Readonly<Record<VctlKind, Columns>> = {
  host: {
    head: ['Name', 'Default'],
    cells: (host) => [text(host['Name']), text(member(host, 'Settings', 'Default'))],
  },
  listener: {
    head: ['Id', 'Protocol', 'Network', 'Address', 'Scope', 'ProxyProtocol'],
    cells: (listener) => [
      text(listener['Id']),
      text(listener['Protocol']),
      text(member(listener, 'Address', 'Network')),
      text(member(listener, 'Address', 'Address')),
      text(listener['Scope']),
      text(listener['ProxyProtocol']),
    ],
  },
  backend: { head: ['Id', 'Type'], cells: ({ Id, Type }) => [text(Id), text(Type)] },
  server: { head: ['Id', 'URL'], cells: ({ Id, URL }) => [text(Id), text(URL)] },
  frontend: {
    head: ['Id', 'Route', 'Backend', 'Type'],
    cells: ({ Id, Route, BackendId, Type }) => [Id, Route, BackendId, Type].map(text),
  },
  middleware: {
    head: ['Id', 'Priority', 'Type', 'Settings'],
    cells: ({ Id, Priority, Type, Middleware }) => [
      ...[Id, Priority, Type].map(text),
      settingsOf(text(Type), isMap(Middleware) ? Middleware : {}),
    ],
  },
}

function byPriority(one: JsonMap, other: JsonMap): number {
  return Number(one['Priority'] ?? 0) - Number(other['Priority'] ?? 0)
}

function member(object: JsonMap, outer: string, inner: string): unknown {
  const found = object[outer]
  return isMap(found) ? found[inner] : undefined
}

function text(value: unknown): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'object' ? JSON.stringify(value) : String(value as string)
}

/** As the types of vulcand print themselves; of other types their JSON. */
function settingsOf(type: string, options: JsonMap): string {
  const of = (name: string): string => text(options[name])
  switch (type) {
    case 'ratelimit':
      return `reqs/${of('PeriodSeconds')}s=${of('Requests')}, burst=${of('Burst')}, var=${of('Variable')}, rateVar=${of('RateVar')}`
    case 'connlimit':
      return `connections=${of('Connections')}, variable=${of('Variable')}`
    case 'cbreaker':
      return `condition=${of('Condition')}, fallback=${of('Fallback')}, recovery=${seconds(options['RecoveryDuration'])}, period=${seconds(options['CheckPeriod'])}`
    case 'rewrite':
      return `regexp=${of('Regexp')}, replacement=${of('Replacement')}, rewriteBody=${of('RewriteBody')}, redirect=${of('Redirect')}`
    case 'trace':
      return `addr=${of('Addr')}, reqHeaders=${list(options['ReqHeaders'])}, respHeaders=${list(options['RespHeaders'])}`
    default:
      return JSON.stringify(options)
  }
}

function seconds(nanoseconds: unknown): string {
  return `${Number(nanoseconds ?? 0) / 1e9}s`
}

function list(value: unknown): string {
  return `[${Array.isArray(value) ? value.map(text).join(' ') : ''}]`
}
