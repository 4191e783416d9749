/**
 * The routes of connections, found once for each connection by what its first TLS record says. Concrete routes compare something of
 * the ClientHello; the others are catch-alls. On a listener that serves HTTPS, too, concrete routes come before HTTPS and catch-alls
 * after it.
 */
import { toAlternatives, type Literal } from './alternatives.ts'
import { addEntry, removeEntry, RouteEntry, type Slot } from './candidates.ts'
import type { Expression, Term } from './expression.ts'
import { matchesText } from './expression.ts'
import { HostIndex } from './host-index.ts'
import { compileNetworks } from '../model/ip.ts'
import type { Listener } from '../model/snapshot.ts'
import type { Located } from './request.ts'
import { compileAlternative, isTextMatcher, type Predicate } from './rule.ts'
import { parseAdmitted } from './table.ts'

export interface StreamConnection {
  /** Lower case, without a trailing dot; '' if the ClientHello has none; null if the client does not speak TLS, or nothing was read. */
  readonly serverName: string | null
  /** What the client offers, in its order. */
  readonly alpn: readonly string[]
  /** Without brackets. */
  readonly clientIp: string
  /** The id of the listener that it came in on. */
  readonly listener: string
}

/** As the index of routes compares it. */
type Routable = StreamConnection & Located
type Entry<T> = RouteEntry<T, Routable>

/** Of one alternative of a route. */
interface Conditions {
  readonly isConcrete: boolean
  readonly needsHello: boolean
  /** Of the listener. */
  readonly listeners: readonly Literal[]
}
interface Placed<T> extends Conditions {
  readonly entry: Entry<T>
}

export class StreamTable<T> {
  readonly #concrete = new HostIndex<T, Routable>()
  #catchAlls: Slot<T, Routable> = undefined
  /** Those among them that name their listener: others do not apply to listeners that serve HTTPS. */
  #named: Slot<T, Routable> = undefined
  readonly #routes = new Map<string, readonly Placed<T>[]>()
  /** By listener; empty after each change. */
  readonly #known = new Map<
    string,
    { readonly needsHello: boolean; readonly joinsHttps: boolean }
  >()

  get size(): number {
    return this.#routes.size
  }

  /** `route` must have been admitted: throws, before any change, if it does not parse. */
  upsert(id: string, route: string | Expression, priority: number | null, value: T): void {
    const expression = typeof route === 'string' ? parseAdmitted(id, route, 'tcp') : route
    const placed = toAlternatives(expression).map((literals) => {
      const alternative = compileAlternative(literals, compileTerm)
      const entry = new RouteEntry<T, Routable>(id, priority ?? 0, alternative, value)
      return { ...conditionsOf(literals), entry }
    })
    this.delete(id)
    for (const one of placed) this.#add(one)
    this.#routes.set(id, placed)
  }

  delete(id: string): void {
    for (const one of this.#routes.get(id) ?? []) this.#remove(one)
    this.#routes.delete(id)
    this.#known.clear()
  }

  /** On a listener that serves streams only. */
  match(connection: StreamConnection): T | undefined {
    const routable = toRoutable(connection)
    const best = this.#findConcrete(routable)
    return (this.#catchAlls?.find(routable, best) ?? best)?.value
  }

  /** On a listener that serves HTTPS: what is decided before it. */
  matchBeforeHttps(connection: StreamConnection): T | undefined {
    return this.#findConcrete(toRoutable(connection))?.value
  }

  /** On a listener that serves HTTPS: what takes connections that it has no certificate for. */
  matchBehindHttps(connection: StreamConnection): T | undefined {
    return this.#named?.find(toRoutable(connection), undefined)?.value
  }

  /** Whether a route on this listener, which serves streams only, depends on the ClientHello. */
  needsHello(listener: string): boolean {
    return this.#of(listener).needsHello
  }

  /** Whether a route takes connections of this listener, which serves HTTPS. */
  joinsHttps(listener: string): boolean {
    return this.#of(listener).joinsHttps
  }

  #findConcrete(routable: Routable): Entry<T> | undefined {
    if (routable.serverName !== null && routable.serverName !== '')
      return this.#concrete.find(routable)
    return this.#concrete.findWithoutHost(routable)
  }

  #add({ entry, isConcrete, listeners }: Placed<T>): void {
    if (isConcrete) return this.#concrete.add(entry)
    this.#catchAlls = addEntry(this.#catchAlls, entry)
    if (isNamed(listeners)) this.#named = addEntry(this.#named, entry)
  }

  #remove({ entry, isConcrete, listeners }: Placed<T>): void {
    if (isConcrete) return this.#concrete.remove(entry)
    this.#catchAlls = removeEntry(this.#catchAlls, entry)
    if (isNamed(listeners)) this.#named = removeEntry(this.#named, entry)
  }

  #of(listener: string): { readonly needsHello: boolean; readonly joinsHttps: boolean } {
    const known = this.#known.get(listener)
    if (known !== undefined) return known
    let needsHello = false
    let joinsHttps = false
    for (const one of [...this.#routes.values()].flat()) {
      if (!one.listeners.every((literal) => holdsFor(literal, listener))) continue
      needsHello ||= one.needsHello
      joinsHttps ||= mayJoinHttps(one)
    }
    const found = { needsHello, joinsHttps }
    this.#known.set(listener, found)
    return found
  }
}

function toRoutable(connection: StreamConnection): Routable {
  const { serverName, alpn, clientIp, listener } = connection
  return { serverName, alpn, clientIp, listener, host: serverName ?? '', path: '' }
}

/** Whether a route may take connections of a listener. */
export function mayTake(
  route: Expression,
  { id, protocol }: Pick<Listener, 'id' | 'protocol'>,
): boolean {
  return toAlternatives(route)
    .map(conditionsOf)
    .filter((one) => one.listeners.every((literal) => holdsFor(literal, id)))
    .some((one) => protocol === 'tcp' || (protocol === 'https' && mayJoinHttps(one)))
}

function mayJoinHttps({ isConcrete, listeners }: Conditions): boolean {
  return isConcrete || isNamed(listeners)
}

function conditionsOf(literals: readonly Literal[]): Conditions {
  const ofHello = literals.filter(({ term }) => term.subject === 'host' || term.subject === 'alpn')
  return {
    isConcrete: ofHello.some(({ negated }) => !negated),
    needsHello: ofHello.length > 0,
    listeners: literals.filter(({ term }) => term.subject === 'listener'),
  }
}

function isNamed(listeners: readonly Literal[]): boolean {
  return listeners.some(({ negated }) => !negated)
}

function holdsFor({ term, negated }: Literal, listener: string): boolean {
  return term.values.some(({ text }) => text === listener) !== negated
}

function compileTerm({ subject, values }: Term): Predicate<StreamConnection> {
  const matchers = values.filter(isTextMatcher)
  const matchesAny = (text: string): boolean =>
    matchers.some((matcher) => matchesText(matcher, text))
  switch (subject) {
    case 'host':
      // `*`, which is left only behind a `!`.
      if (matchers.length === 0) return () => true
      // No other condition holds for a name that is not there.
      return ({ serverName }) => serverName !== null && serverName !== '' && matchesAny(serverName)
    case 'alpn':
      return ({ alpn }) => alpn.some(matchesAny)
    case 'listener':
      return ({ listener }) => matchesAny(listener)
    case 'clientIp': {
      const contains = compileNetworks(values.map((value) => value.text))
      return ({ clientIp }) => contains(clientIp)
    }
    default:
      throw new Error(`a route of connections has no ${subject}`)
  }
}
