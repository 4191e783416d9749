/**
 * The names that certificates are ordered for: those of routes that an https listener serves, and those of the settings, except
 * where a certificate of the operator covers them. Follows what is published, one change at a time, so that a change of one route
 * among 100,000 costs little.
 */
import { X509Certificate } from 'node:crypto'
import type { AcmeSettings } from '../../model/acme-settings.ts'
import type { Frontend, Listener } from '../../model/snapshot.ts'
import type { Expression } from '../../routing/expression.ts'
import { mayMatch, readRoute, type NamedRoute } from './route-names.ts'
import { refuseName } from './signable.ts'

/** What was published: objects that changed, and ids of those that went. */
export interface PublishedChanges {
  readonly upserts: {
    readonly listeners: readonly Listener[]
    readonly frontends: readonly Frontend[]
  }
  readonly deletes: { readonly listeners: readonly string[]; readonly frontends: readonly string[] }
}

export interface WantedNames {
  /** To be ordered. */
  readonly wanted: ReadonlySet<string>
  /** Not to be ordered: why. */
  readonly refused: ReadonlyMap<string, string>
}

export interface NameFollower {
  take(changes: PublishedChanges): void
  /** `now`: ms since the epoch: a certificate of the operator that has ended covers nothing. */
  names(now: number): WantedNames
  /** Whether a certificate of the operator is for this name wherever it is served. */
  isCovered(name: string, now: number): boolean
  readonly hasHttpListener: boolean
}

type NameSettings = Pick<AcmeSettings, 'names' | 'issuers' | 'challenge' | 'dns'>

interface Served {
  readonly id: string
  readonly scope: Expression | null
  /** It takes the routes of frontends. */
  readonly isRouted: boolean
  /** PEM texts, also of ordered ones. */
  readonly texts: readonly string[]
  /** When the operator's last certificate for a name ends, ms since the epoch. */
  readonly covers: ReadonlyMap<string, number>
}

/** `isOwn`: whether the PEM text is of a certificate that was ordered here. */
export function followNames(
  { names: choice, ...signing }: NameSettings,
  isOwn: (cert: string) => boolean,
): NameFollower {
  const listeners = new Map<string, Served>()
  const httpListeners = new Set<string>()
  const routes = new Map<string, NamedRoute>()
  const routesOf = new Map<string, Set<NamedRoute>>()
  /** By name, until one of its routes or a listener changes. */
  const served = new Map<string, readonly Served[]>()
  const certificates = new Map<string, OperatorCertificate>()

  function put(id: string, route: NamedRoute | null): void {
    const before = routes.get(id)
    for (const name of before?.names ?? []) {
      served.delete(name)
      const others = routesOf.get(name)
      if (before !== undefined) others?.delete(before)
      if (others?.size === 0) routesOf.delete(name)
    }
    routes.delete(id)
    if (route === null || route.names.length === 0) return
    routes.set(id, route)
    for (const name of route.names) {
      served.delete(name)
      const others = routesOf.get(name)
      if (others === undefined) routesOf.set(name, new Set([route]))
      else others.add(route)
    }
  }

  function putListener(listener: Listener): void {
    const { id, protocol, backend, scope, tls } = listener
    listeners.delete(id)
    httpListeners.delete(id)
    if (tls === null) {
      if (protocol !== 'tcp') httpListeners.add(id)
      return
    }
    listeners.set(id, {
      id,
      scope: scope === null ? null : (readRoute(scope)?.expression ?? null),
      isRouted: protocol !== 'tcp' && backend === null,
      texts: tls.certificates.map(({ cert }) => cert),
      covers: coveredBy(tls.certificates.map(({ cert }) => cert)),
    })
  }

  function forgetUnused(): void {
    const used = new Set([...listeners.values()].flatMap(({ texts }) => texts))
    for (const cert of certificates.keys()) if (!used.has(cert)) certificates.delete(cert)
  }

  function coveredBy(texts: readonly string[]): ReadonlyMap<string, number> {
    const covers = new Map<string, number>()
    for (const cert of texts) {
      if (isOwn(cert)) continue
      // Each is parsed once.
      const { names, endsAt } = certificates.get(cert) ?? readCertificate(cert)
      certificates.set(cert, { names, endsAt })
      for (const name of names) covers.set(name, Math.max(endsAt, covers.get(name) ?? 0))
    }
    return covers
  }

  function servedBy(name: string): readonly Served[] {
    const known = served.get(name)
    if (known !== undefined) return known
    const having = [...(routesOf.get(name) ?? [])]
    const found = [...listeners.values()].filter(
      ({ id, scope, isRouted }) =>
        isRouted &&
        (scope === null || mayMatch(scope, name, id)) &&
        having.some(({ expression }) => mayMatch(expression, name, id)),
    )
    served.set(name, found)
    return found
  }

  /** Where it is served, or would be. */
  function placesOf(name: string): readonly Served[] {
    const by = routesOf.has(name) ? servedBy(name) : []
    return by.length === 0 && choice.list.includes(name) ? [...listeners.values()] : by
  }

  function isCoveredOn(where: readonly Served[], name: string, now: number): boolean {
    const above = name.replace(/^[^.]*/, '*')
    const isCovered = ({ covers }: Served): boolean =>
      (covers.get(name) ?? 0) > now || (covers.get(above) ?? 0) > now
    return where.length > 0 && where.every(isCovered)
  }

  function isExcluded(name: string): boolean {
    return choice.exclude.some(
      (one) => one === name || (one.startsWith('*.') && name.endsWith(one.slice(1))),
    )
  }

  return {
    take({ upserts, deletes }) {
      for (const listener of upserts.listeners) putListener(listener)
      for (const id of deletes.listeners) {
        listeners.delete(id)
        httpListeners.delete(id)
      }
      if (upserts.listeners.length + deletes.listeners.length > 0) {
        served.clear()
        forgetUnused()
      }
      if (!choice.routes) return
      for (const { id, protocol, route } of upserts.frontends) {
        put(id, protocol === 'http' ? readRoute(route) : null)
      }
      for (const id of deletes.frontends) put(id, null)
    },
    names(now) {
      const wanted = new Set<string>()
      const refused = new Map<string, string>()
      for (const name of [...routesOf.keys(), ...choice.list]) {
        const where = placesOf(name)
        if (where.length === 0 || isExcluded(name) || isCoveredOn(where, name, now)) continue
        const reason = refuseName(name, signing)
        if (reason === null) wanted.add(name)
        else refused.set(name, reason)
      }
      return { wanted, refused }
    },
    isCovered(name, now) {
      const where = placesOf(name)
      return isCoveredOn(where.length === 0 ? [...listeners.values()] : where, name, now)
    },
    get hasHttpListener() {
      return httpListeners.size > 0
    },
  }
}

interface OperatorCertificate {
  readonly names: readonly string[]
  /** ms since the epoch. */
  readonly endsAt: number
}

function readCertificate(cert: string): OperatorCertificate {
  const { subjectAltName = '', validToDate } = new X509Certificate(cert)
  const names = subjectAltName.split(', ').flatMap((part) => {
    const [, name] = /^(?:DNS|IP Address):(.+)$/.exec(part) ?? []
    return name === undefined ? [] : [name.toLowerCase()]
  })
  return { names, endsAt: validToDate.getTime() }
}
