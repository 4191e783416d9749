/** Where vulcand would do otherwise, though an object maps: its route order, its defects, and rules of the whole program. */
import { splitParts } from '../../model/names.ts'
import { isMap, quote } from '../../model/parsed.ts'
import type { DeclaredObject } from '../../providers/provider.ts'
import type { Row, Verdict } from '../from/rows.ts'
import { DEFAULT_LISTENER } from './file.ts'
import { compareRoutes, type VulcandRoute } from './routes.ts'

export function compareWithVulcand(
  objects: readonly DeclaredObject[],
  inForce: ReadonlySet<string>,
): readonly Row[] {
  const good = objects.filter(({ kind, id }) => inForce.has(`${kind} ${id}`))
  const routes = good.flatMap(toRoute)
  return [
    ...compareRoutes(routes),
    ...neighbours(good, 'backend', 'server', 'after a restart vulcand also sends its requests to'),
    ...samePriority(good),
    ...wholeProgram(good),
  ]
}

function row(verdict: Verdict, place: string, text: string): Row {
  return { verdict, place, text }
}

function toRoute({ kind, id, key, value }: DeclaredObject): readonly VulcandRoute[] {
  if (kind !== 'frontend' || !isMap(value)) return []
  const { route } = value
  return typeof route === 'string' ? [{ id, key, route }] : []
}

/** vulcand compares the beginnings of keys: `b1` is one of `b10`. */
function neighbours(
  objects: readonly DeclaredObject[],
  kind: DeclaredObject['kind'],
  part: DeclaredObject['kind'],
  what: string,
): readonly Row[] {
  const owners = new Set(
    objects.flatMap((one) => (one.kind === part ? [splitParts(one.id)[0]] : [])),
  )
  const whole = objects.filter((one) => one.kind === kind)
  const sorted = [...owners].sort()
  return whole.flatMap(({ id, key }) => {
    const others = startingWith(sorted, id)
    if (others.length === 0) return []
    const names = others.slice(0, 3).map(quote).join(', ') + (others.length > 3 ? ', ...' : '')
    return [row('note', key, `${kind} ${id}: ${what} the servers of ${names}; Sluice does not`)]
  })
}

/** The names of a sorted list that begin with this one and are longer. */
function startingWith(sorted: readonly string[], start: string): readonly string[] {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] ?? '') < start) low = middle + 1
    else high = middle
  }
  const found: string[] = []
  for (let at = low; sorted[at]?.startsWith(start) === true; at += 1) {
    const name = sorted[at] ?? ''
    if (name !== start) found.push(name)
  }
  return found
}

/** vulcand orders middlewares of one priority at random. */
function samePriority(objects: readonly DeclaredObject[]): readonly Row[] {
  const first = new Map<string, string>()
  return objects.flatMap(({ kind, id, key, value }) => {
    if (kind !== 'middleware' || !isMap(value)) return []
    const [frontend, middleware] = splitParts(id)
    const place = `${frontend} ${String(value['priority'] ?? 0)}`
    const other = first.get(place)
    if (other === undefined) {
      first.set(place, middleware)
      return []
    }
    const what = `has the priority of ${quote(other)}: vulcand orders them at random, Sluice by their ids`
    return [row('note', key, `middleware ${id}: ${what}`)]
  })
}

const PROGRAM = 'all of it'

function wholeProgram(objects: readonly DeclaredObject[]): readonly Row[] {
  const rows: Row[] = []
  const note = (text: string): void => void rows.push(row('note', PROGRAM, text))
  const counted = (count: number, one: string, several: string): string =>
    count === 1 ? `1 ${one}` : `${count} ${several}`
  if (objects.length === 0) return rows
  const retried = objects.filter(
    ({ kind, value }) =>
      kind === 'frontend' &&
      isMap(value) &&
      typeof value['backend'] === 'string' &&
      !hasRetry(value),
  ).length
  if (retried > 0) {
    note(
      `${counted(retried, 'frontend has', 'frontends have')} no FailoverPredicate: vulcand sends a GET with 502 or 504 up to 10 times more, also if a server itself responded so; Sluice retries as docs/resilience/retries.md says, within a budget`,
    )
  }
  const perClient = objects.filter(
    ({ kind, value }) => kind === 'middleware' && isMap(value) && value['key'] === 'client.ip',
  ).length
  if (perClient > 0) {
    note(
      `${counted(perClient, 'middleware counts', 'middlewares count')} by client.ip: to vulcand all clients with IPv6 are one, to Sluice each network of 64 bits is one`,
    )
  }
  if (!objects.some(({ kind, id }) => kind === 'listener' && id === DEFAULT_LISTENER.id)) {
    const { id, address } = DEFAULT_LISTENER
    note(
      `vulcand also listens on ${address}, or on -interface and -port: the program vulcand does so, too, and a file of Sluice needs a listener, such as ${id}: { address: '${address}' }`,
    )
  }
  return rows
}

/** Of its own: attempts, or none at all. */
function hasRetry({ retry }: Readonly<Record<string, unknown>>): boolean {
  return isMap(retry) && ('when' in retry || retry['buffer'] === 0)
}
