/**
 * The objects of fabio's routes. A route is a frontend and a backend of its own, because its servers may be of several services and
 * have weights in this route alone.
 */
import { hash } from 'node:crypto'
import { CLOSED_RESPONSE, describeClosed, type FailClosed } from '../../fail-closed.ts'
import type { DeclaredObject } from '../../provider.ts'
import { joinParts, refuseId } from '../../../model/names.ts'
import { quote } from '../../../model/parsed.ts'
import { routeCall } from '../../route-terms.ts'
import { splitOrigin } from '../server-origin.ts'
import { TranslationError } from '../translation.ts'
import type { Command } from './command.ts'
import { splitPort, toRouteText } from './route-text.ts'
import { readSettings, type RedirectTo } from './settings.ts'
import { MAX_WEIGHT, shareOut } from './shares.ts'
import { buildTable, type Destination, type Route, type Unread } from './table.ts'

/** The redirect to https of a host's plain requests, which fabio writes as a route of its own: `a.com:80/`. */
interface Upgrade {
  readonly host: string
  readonly path: string
  readonly status: number
}

/** All objects of these commands: services first, then the manual ones, as fabio has them. */
export function toObjects(commands: readonly Command[]): readonly DeclaredObject[] {
  const { routes, unread } = buildTable(commands)
  const upgrades = Map.groupBy(
    routes.flatMap((route) => upgradeOf(route) ?? []),
    ({ host }) => host,
  )
  return [
    ...routes.flatMap((route) => (isMerged(route, routes) ? [] : toObjectsOf(route, upgrades))),
    ...unread.map(toFault),
  ]
}

function toObjectsOf(
  route: Route,
  upgrades: ReadonlyMap<string, readonly Upgrade[]>,
): readonly DeclaredObject[] {
  const { host, path, destinations, unread } = route
  const [origin = { key: '' }] = [...destinations, ...unread].map((one) => one.origin)
  const id = idOf(host, path)
  const about = { kind: 'frontend', id, ...origin } as const
  if (path === '') {
    return [
      {
        ...about,
        value: undefined,
        fault: `the port ${host} is for tcp: declare a listener there with protocol: tcp and a backend`,
      },
    ]
  }
  if (destinations.some(isStream)) return toStream(route, about)
  const { route: text, remarks } = toRouteText(host, path)
  const closed: FailClosed = { values: [{ route: text, respond: CLOSED_RESPONSE }], after: 'value' }
  const lines = unread.map(({ reason }) => reason)
  const problems = [...remarks, ...lines]
  if (destinations.length === 0) {
    return [{ ...about, value: undefined, fault: lines.join('; '), closed }]
  }
  try {
    const settings = readSettings(route)
    const servers = toServers(id, destinations, settings.redirect)
    const backend = { kind: 'backend', id, ...origin } as const
    const all = [...problems, ...settings.remarks, ...servers.remarks]
    const target =
      settings.redirect === null ? { backend: id } : toRedirect(route, settings.redirect)
    const upgrade = upgrades.get(host)?.find((one) => path.startsWith(one.path))
    const frontend = {
      route: settings.clients === '' ? text : `${text} && ${settings.clients}`,
      ...target,
      ...(upgrade === undefined || settings.redirect !== null
        ? {}
        : { redirect: { scheme: 'https', status: upgrade.status } }),
      ...(settings.passHost ? {} : { passHost: false }),
    }
    return [
      { ...about, value: frontend, closed, ...(all.length === 0 ? {} : { remarks: all }) },
      ...(settings.clients === '' ? [] : [refusalOf(about, text)]),
      ...(settings.redirect === null
        ? [
            {
              ...backend,
              value: {
                ...(destinations.some(isGrpcOverTls) ? { protocol: 'h2' } : {}),
                ...(settings.verify ? {} : { tls: { verify: false } }),
              },
            },
            ...servers.objects,
          ]
        : []),
    ]
  } catch (error) {
    if (!(error instanceof TranslationError)) throw error
    const shut = [...problems, describeClosed(error.message)]
    return [{ ...about, value: closed.values[0], closed, remarks: shut }]
  }
}

function isStream({ options }: Destination): boolean {
  return options.get('proto') === 'tcp+sni'
}

/** `proto=tcp+sni`: connections by their server name, whose TLS ends at the servers. */
function toStream(
  route: Route,
  about: Pick<DeclaredObject, 'kind' | 'id' | 'key' | 'line'>,
): readonly DeclaredObject[] {
  const { id, kind: _, ...origin } = about
  const { host, destinations } = route
  try {
    const { name } = splitPort(host)
    if (name === '' || !destinations.every(isStream))
      throw new TranslationError('proto=tcp+sni needs a host, and all destinations must have it')
    const { clients, remarks } = readSettings(route)
    const servers = toServers(id, destinations, null)
    const call = routeCall('HostSNI', [name])
    const all = [...remarks, ...servers.remarks]
    const value = {
      protocol: 'tcp',
      route: clients === '' ? call : `${call} && ${clients}`,
      backend: id,
    }
    return [
      { ...about, value, ...(all.length === 0 ? {} : { remarks: all }) },
      { kind: 'backend', id, ...origin, value: {} },
      ...servers.objects,
    ]
  } catch (error) {
    if (!(error instanceof TranslationError)) throw error
    return [{ ...about, value: undefined, fault: error.message }]
  }
}

/** For clients that the route does not allow. It has fewer terms, so that it comes behind the route. */
function refusalOf(
  about: Pick<DeclaredObject, 'kind' | 'id' | 'key'>,
  route: string,
): DeclaredObject {
  const respond = { status: 403, body: 'Forbidden\n' }
  return { ...about, id: `${about.id}@refused`, value: { route, respond } }
}

const SCHEMES: readonly string[] = ['http', 'https', 'h2c']

function toServers(
  backend: string,
  destinations: readonly Destination[],
  redirect: RedirectTo | null,
): { readonly objects: readonly DeclaredObject[]; readonly remarks: readonly string[] } {
  const remarks: string[] = []
  if (redirect !== null) return { objects: [], remarks }
  // All of them, so that a route with one that cannot be reached is closed as a whole.
  const urls = new Map(destinations.map((one) => [one, toUrl(one, remarks)]))
  const serving = destinations.filter(({ isServing }) => isServing)
  const { weights, isExact } = shareOut(serving.map(({ weight }) => weight))
  if (!isExact) remarks.push('its weights are rounded to thousandths of the largest')
  // A server that two services name has the weight of both.
  const servers = new Map<string, { readonly one: Destination; readonly weight: number }>()
  for (const [at, one] of serving.entries()) {
    const url = urls.get(one) ?? ''
    const before = servers.get(url)
    const weight = (before?.weight ?? 0) + (weights[at] ?? 1)
    servers.set(url, { one: before?.one ?? one, weight })
  }
  const ids = new Set<string>()
  const objects: DeclaredObject[] = []
  for (const [url, { one, weight }] of servers) {
    if (weight === 0) {
      remarks.push(`${url} gets no requests: the others have all of the weight`)
      continue
    }
    const part = unique(plainId(`${one.service}-${url.replace(/^\w+:\/\//, '')}`), ids)
    const value = weight === 1 ? { url } : { url, weight: Math.min(weight, MAX_WEIGHT) }
    objects.push({ kind: 'server', id: joinParts(backend, part), ...one.origin, value })
  }
  return { objects, remarks }
}

/** Schemes, and values of `proto`, that have another name here. */
const MEANINGS: ReadonlyMap<string, string> = new Map([
  ['tcp+sni', 'tcp'],
  ['grpc', 'h2c'],
  ['grpcs', 'https'],
])

/** gRPC over TLS needs HTTP/2 of servers that are reached by https. */
function isGrpcOverTls({ destination, options }: Destination): boolean {
  return options.get('proto') === 'grpcs' || /^grpcs:/i.test(destination)
}

function toUrl({ destination, options }: Destination, remarks: string[]): string {
  const { url, remark } = splitOrigin(destination)
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/i.exec(url) ?? []
  const written = scheme.toLowerCase()
  const isPlain = written === 'http' || written === 'tcp'
  const proto = isPlain ? (options.get('proto') ?? written) : written
  const meant = MEANINGS.get(proto) ?? proto
  if (!SCHEMES.includes(meant) && proto !== 'tcp+sni') {
    throw new TranslationError(
      meant === ''
        ? `${quote(destination)} is no URL`
        : `${meant} is not supported: servers are reached by http, https, grpc and grpcs`,
    )
  }
  if (remark !== null) remarks.push(remark)
  return `${meant}://${rest}`
}

/** fabio does not redirect a request to the URL that it has; here such a redirect is one to another scheme. */
function toRedirect(route: Route, redirect: RedirectTo): Record<string, unknown> {
  return isToItself(route.host, redirect) || upgradeOf(route) !== null
    ? { redirect: { scheme: 'https', status: redirect.status }, respond: NOT_FOUND }
    : { redirect }
}

const NOT_FOUND = { status: 404, body: 'Not Found\n' }

function isToItself(host: string, { to, keepPath }: RedirectTo): boolean {
  const { name } = splitPort(host)
  return keepPath && (to === 'https://{host}' || (name !== '' && to === `https://${name}`))
}

/** `a.com:80/ redirect=301,https://a.com$path`; fabio's pages write it without `$path`, too. */
function upgradeOf(route: Route): Upgrade | null {
  const { name, port } = splitPort(route.host)
  if (port !== 80 || !route.destinations.some(({ options }) => options.has('redirect'))) return null
  try {
    const { redirect, clients } = readSettings(route)
    if (redirect === null || clients !== '') return null
    const isRoot = route.path === '/' && redirect.to === `https://${name}/`
    if (!isRoot && !isToItself(route.host, redirect)) return null
    return { host: name, path: route.path, status: redirect.status }
  } catch (error) {
    if (error instanceof TranslationError) return null
    throw error
  }
}

/** It is part of the route of the same path. */
function isMerged(route: Route, routes: readonly Route[]): boolean {
  const upgrade = upgradeOf(route)
  if (upgrade === null) return false
  return routes.some((one) => one.host === upgrade.host && one.path === upgrade.path)
}

/** A command of no route. */
function toFault({ reason, origin }: Unread): DeclaredObject {
  const id = `unread-${shortHash(`${origin.key} ${origin.line ?? ''} ${reason}`)}`
  return { kind: 'frontend', id, ...origin, value: undefined, fault: reason }
}

/** `a.com:foo:bar` of `a.com/foo/bar`; other characters make a hash necessary. */
function idOf(host: string, path: string): string {
  const whole = path === '/' && host !== '' ? host : host + path
  return plainId(whole)
}

const MAX_PLAIN = 100

function plainId(text: string): string {
  const id = text.replaceAll('/', ':').replaceAll('*', 'any')
  if (/^[A-Za-z0-9._:-]{1,100}$/.test(id) && !text.includes('*') && refuseId(id) === null) return id
  return `${id.replace(/[^A-Za-z0-9._:-]+/g, '-').slice(0, MAX_PLAIN)}-${shortHash(text)}`
}

function unique(id: string, taken: Set<string>): string {
  let free = id
  for (let count = 2; taken.has(free); count++) free = `${id}-${count}`
  taken.add(free)
  return free
}

function shortHash(text: string): string {
  return hash('sha256', text, 'hex').slice(0, 8)
}
