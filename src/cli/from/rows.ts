/** What `sluice check --from` and `sluice import` have to say, a row for each fact, by the container, service or key that it is about. */
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

export type Counts = Readonly<Record<Verdict, number>>

export function countRows(rows: readonly Row[]): Counts {
  const of = (verdict: Verdict): number => rows.filter((row) => row.verdict === verdict).length
  return {
    maps: of('maps'),
    differs: of('differs'),
    'not there': of('not there'),
    note: of('note'),
  }
}

/** Of one row, and of several. */
const WORDS: readonly (readonly [Verdict, string, string])[] = [
  ['maps', 'maps', 'map'],
  ['differs', 'differs', 'differ'],
  ['not there', 'not there', 'not there'],
  ['note', 'note', 'notes'],
]

/** `2 map, 1 differs`. */
export function summaryOf(counts: Counts): string {
  const parts = WORDS.flatMap(([verdict, one, several]) => {
    const count = counts[verdict]
    return count === 0 ? [] : `${count} ${count === 1 ? one : several}`
  })
  return parts.length === 0 ? 'declares nothing' : parts.join(', ')
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
      (one.line ?? 0) - (other.line ?? 0) ||
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
    const place = placeOf(object)
    if (text !== null) rows.push({ verdict: 'maps', place, text: `${kind} ${id}: ${text}` })
    rows.push(...own.map(toRow))
  }
  rows.push(...[...about.values()].flat().map(toRow))
  return rows.toSorted((one, other) => comparePlaces(one.place, other.place))
}

/** Numbers at the end by their size: `routes.txt:9` is before `routes.txt:10`. */
function comparePlaces(one: string, other: string): number {
  const [, name = '', line = ''] = /^(.*?)(?::(\d+))?$/s.exec(one) ?? []
  const [, otherName = '', otherLine = ''] = /^(.*?)(?::(\d+))?$/s.exec(other) ?? []
  return compare(name, otherName) || Number(line) - Number(otherLine)
}

function toRow(problem: Problem): Row {
  const { kind, id, level, message } = problem
  const verdict = isGrave(problem) ? 'not there' : level === 'hint' ? 'note' : 'differs'
  const what = id === '' ? '' : `${kind} ${id}: `
  return { verdict, place: placeOf(problem), text: what + message }
}

/** `container shop-web-1`, `routes.txt:3`. */
function placeOf({ key, line }: Pick<DeclaredObject, 'key' | 'line'>): string {
  return line === undefined ? key : `${key}:${line}`
}

function isGrave({ level, code }: Problem): boolean {
  return level === undefined || code === 'closed'
}

/** What it does, in a few words; null: a backend without options, whose servers are objects of their own and tell enough. */
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
      const inside = Object.keys(isMap(value['servers']) ? value['servers'] : {}).length
      const servers = inside === 0 ? [] : [inside === 1 ? '1 server' : `${inside} servers`]
      return [...servers, ...options].join(', ') || null
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
