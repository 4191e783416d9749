/** What `sluice check --from` has to say, a row for each fact, by the container, service or key that it is about. */
import type { ObjectKind } from '../../model/names.ts'
import { isMap, quote } from '../../model/parsed.ts'
import type { Problem } from '../../model/problem.ts'
import type { DeclaredObject } from '../../providers/provider.ts'

/** `note`: nothing is lost, but something may have been meant. */
export type Verdict = 'maps' | 'differs' | 'not there' | 'note'

export interface Row {
  readonly verdict: Verdict
  /** `container shop-web-1` */
  readonly place: string
  readonly text: string
}

const KINDS: readonly ObjectKind[] = [
  'listener',
  'host',
  'frontend',
  'middleware',
  'backend',
  'server',
]

/** `inForce`: names of the objects that come into force, `frontend shop`. `problems` may be of no object. */
export function toRows(
  objects: readonly DeclaredObject[],
  problems: readonly Problem[],
  inForce: ReadonlySet<string>,
): readonly Row[] {
  const sorted = objects.toSorted(
    (one, other) =>
      compare(one.key, other.key) ||
      KINDS.indexOf(one.kind) - KINDS.indexOf(other.kind) ||
      compare(one.id, other.id),
  )
  const about = Map.groupBy(problems, ({ kind, id, key }) => `${kind} ${id} ${key}`)
  const rows: Row[] = []
  for (const object of sorted) {
    const { kind, id, key } = object
    const own = about.get(`${kind} ${id} ${key}`) ?? []
    about.delete(`${kind} ${id} ${key}`)
    const isLost = own.some(isGrave) || !inForce.has(`${kind} ${id}`)
    const text = isLost ? null : describe(object)
    if (text !== null) rows.push({ verdict: 'maps', place: key, text: `${kind} ${id}: ${text}` })
    rows.push(...own.map(toRow))
  }
  rows.push(...[...about.values()].flat().map(toRow))
  return rows.toSorted((one, other) => compare(one.place, other.place))
}

function toRow(problem: Problem): Row {
  const { kind, id, key, level, message, line } = problem
  const isClosed = message.startsWith('is closed')
  const verdict =
    isClosed || level === undefined ? 'not there' : level === 'hint' ? 'note' : 'differs'
  const what = id === '' ? '' : `${kind} ${id}: `
  const at = line === undefined ? '' : ` (line ${line})`
  return { verdict, place: key, text: `${what}${message}${at}` }
}

function isGrave({ level, message }: Problem): boolean {
  return level === undefined || message.startsWith('is closed')
}

/** What it does, in a few words; null: a backend without options, of which its servers tell enough. */
function describe({ kind, value }: DeclaredObject): string | null {
  if (typeof value === 'string') return value
  if (!isMap(value)) return null
  switch (kind) {
    case 'frontend':
      return describeFrontend(value)
    case 'server': {
      const { weight } = value
      return `${String(value['url'])}${weight === undefined ? '' : `, weight ${String(weight)}`}`
    }
    case 'backend': {
      const options = Object.keys(value).filter((name) => name !== 'servers')
      return options.length === 0 ? null : options.join(', ')
    }
    case 'listener':
    case 'host':
    case 'middleware':
      return Object.keys(value).join(', ')
    default:
      return kind satisfies never
  }
}

function describeFrontend(value: Readonly<Record<string, unknown>>): string {
  const { route, backend, respond, redirect, middlewares } = value
  const target =
    typeof backend === 'string'
      ? `to backend ${backend}`
      : isMap(respond)
        ? `responds with ${String(respond['status'])}`
        : redirect === undefined
          ? ''
          : 'redirects'
  const kinds = (Array.isArray(middlewares) ? (middlewares as readonly unknown[]) : []).map(
    (one) => (isMap(one) ? String(one['kind']) : ''),
  )
  const short = Object.keys(value).filter((name) => !PLAIN.has(name))
  const guards = [...short, ...kinds]
  const behind = guards.length === 0 ? '' : `, with ${guards.join(', ')}`
  return `${typeof route === 'string' ? route : quote(route)} ${target}${behind}`
}

const PLAIN = new Set([
  ...['route', 'backend', 'respond', 'redirect', 'middlewares', 'priority', 'passHost', 'labels'],
])

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other)
}
