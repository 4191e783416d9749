/**
 * The variables of nginx-proxy: VIRTUAL_HOST, VIRTUAL_PORT, VIRTUAL_PATH, VIRTUAL_DEST, VIRTUAL_PROTO, VIRTUAL_HOST_MULTIPORTS and
 * NETWORK_ACCESS, from the labels of an instance or else from its environment. As there, all instances with the same host and
 * path are one backend, also of different services.
 */
import { hash } from 'node:crypto'
import { readForeign } from '../../document/document.ts'
import { Unreadable } from '../../document/tree.ts'
import { isMap, quote } from '../../model/parsed.ts'
import { CLOSED_RESPONSE, describeClosed } from '../fail-closed.ts'
import { escapeRegexp, routeCall } from '../route-terms.ts'
import { define, problemAt, toId, type Definition, type Reading } from './definition.ts'
import type { Labelled } from './labelled.ts'
import { defineServer } from './server.ts'

const HOST = 'VIRTUAL_HOST'
const MULTIPORTS = 'VIRTUAL_HOST_MULTIPORTS'
/** Of nginx-proxy and its companion, for an instance. They decide nothing about its route. */
const NOT_HONOURED = [
  ...['HTTPS_METHOD', 'CERT_NAME', 'HSTS', 'SSL_POLICY', 'LETSENCRYPT_HOST', 'LETSENCRYPT_EMAIL'],
  ...['ACME_HTTP_CHALLENGE_LOCATION', 'SERVER_TOKENS', 'VIRTUAL_ROOT', 'DISABLE_ACCESS_LOGS'],
]
/** As in its file network_internal.conf. */
const INTERNAL = ['127.0.0.0/8', '10.0.0.0/8', '192.168.0.0/16', '172.16.0.0/12']
const MAX_PLACES = 100
const MAX_TEXT = 65_536

export function hasVirtualHost(item: Labelled): boolean {
  return variableOf(item, HOST) !== '' || variableOf(item, MULTIPORTS) !== ''
}

/** A label goes before the variable of the same name; '' if there is neither. */
function variableOf({ labels, env }: Labelled, name: string): string {
  return (labels.get(name) ?? env?.get(name) ?? '').trim()
}

/** One host with one path. */
interface VirtualPlace {
  readonly host: string
  readonly path: string
  /** '': the default. */
  readonly port: string
  readonly dest: string
}

export function readVirtualHosts(item: Labelled): Reading {
  const { key } = item
  const remarks = NOT_HONOURED.filter((name) => variableOf(item, name) !== '')
  const problems = remarks.map((name) => problemAt(key, `${name} is not honoured`, 'hint'))
  const places = readPlaces(item)
  if (typeof places === 'string') {
    return { definitions: [], problems: [...problems, problemAt(key, places)] }
  }
  if (places.length > MAX_PLACES) {
    const message = `has ${places.length} hosts and paths, at most ${MAX_PLACES} are read`
    problems.push(problemAt(key, message))
  }
  const once = new Map(places.slice(0, MAX_PLACES).map((place) => [nameOf(place), place]))
  return {
    definitions: [...once].flatMap(([name, place]) => readPlace(item, name, place)),
    problems,
  }
}

/** Or why there are none. */
function readPlaces(item: Labelled): readonly VirtualPlace[] | string {
  const multiports = variableOf(item, MULTIPORTS)
  if (multiports !== '') return readMultiports(multiports)
  const path = variableOf(item, 'VIRTUAL_PATH') || '/'
  const port = variableOf(item, 'VIRTUAL_PORT')
  const dest = variableOf(item, 'VIRTUAL_DEST')
  return splitHosts(variableOf(item, HOST)).map((host) => ({ host, path, port, dest }))
}

/** A regular expression may hold commas, in braces: `~^v\d{1,2}\.example$`. */
function splitHosts(text: string): readonly string[] {
  return text
    .split(/,(?![^{},]*\})/)
    .map((host) => host.trim())
    .filter((host) => host !== '')
}

function readMultiports(text: string): readonly VirtualPlace[] | string {
  if (text.length > MAX_TEXT) return `${MULTIPORTS} has ${text.length} characters`
  let hosts: Readonly<Record<string, unknown>>
  try {
    hosts = readForeign(text).root
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    return `${MULTIPORTS} ${error.message}`
  }
  const places: VirtualPlace[] = []
  for (const [host, paths] of Object.entries(hosts)) {
    const written = isMap(paths) && Object.keys(paths).length > 0 ? paths : { '/': null }
    if (paths !== null && !isMap(paths))
      return `${MULTIPORTS}: ${quote(host)} must be a map of paths`
    for (const [path, about] of Object.entries(written)) {
      if (about !== null && !isMap(about)) {
        return `${MULTIPORTS}: ${quote(path)} must be a map of port and dest`
      }
      const { port = '', dest = '' } = about ?? {}
      places.push({ host, path, port: toText(port), dest: toText(dest) })
    }
  }
  return places
}

function toText(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

/** Of the frontend and the backend. A regular expression has no name of its own. */
function nameOf({ host, path }: VirtualPlace): string {
  const place = path === '/' ? host : `${host}${path}`
  const isPlain = /^[\w.*/-]+$/.test(place)
  return isPlain ? place.toLowerCase() : `virtual-host-${hash('sha256', place, 'hex').slice(0, 8)}`
}

function readPlace(item: Labelled, name: string, place: VirtualPlace): readonly Definition[] {
  const { key } = item
  const proto = variableOf(item, 'VIRTUAL_PROTO').toLowerCase() || 'http'
  const term = routeOf(place)
  if (!term.ok)
    return [define({ kind: 'frontend', name, key, value: undefined, faults: [term.why] })]
  const { route } = term
  const why = whyClosed(place, proto)
  if (why !== null) {
    const value = { route, respond: CLOSED_RESPONSE }
    return [define({ kind: 'frontend', name, key, value, remarks: [describeClosed(why)] })]
  }
  const isInternal = variableOf(item, 'NETWORK_ACCESS').toLowerCase() === 'internal'
  const isTls = proto === 'https' || proto === 'grpcs'
  return [
    ...defineFrontends(key, name, route, isInternal),
    define({
      ...{ kind: 'backend', name, key },
      // nginx does not verify the certificates of servers.
      value: isTls
        ? { ...(proto === 'grpcs' ? { protocol: 'h2' } : {}), tls: { verify: false } }
        : {},
      ...(isTls ? { remarks: ['its certificate is not verified, as in nginx'] } : {}),
      isDefault: !isTls,
    }),
    ...defineServer(item, name, {
      port: place.port || (item.ports.length === 1 ? null : '80'),
      scheme: SCHEMES.get(proto) ?? proto,
      names: { port: 'VIRTUAL_PORT', scheme: 'VIRTUAL_PROTO' },
    }),
  ]
}

/** By VIRTUAL_PROTO. */
const SCHEMES: ReadonlyMap<string, string> = new Map([
  ['http', 'http'],
  ['https', 'https'],
  ['grpc', 'h2c'],
  ['grpcs', 'https'],
])

function defineFrontends(
  key: string,
  name: string,
  route: string,
  isInternal: boolean,
): readonly Definition[] {
  if (!isInternal)
    return [define({ kind: 'frontend', name, key, value: { route, backend: toId(name) } })]
  const clients = routeCall('ClientIP', INTERNAL)
  const own = { route: `${route} && ${clients}`, backend: toId(name) }
  const refusal = { route, respond: { status: 403, body: 'Forbidden' } }
  return [
    define({ kind: 'frontend', name, key, value: own }),
    define({ kind: 'frontend', name: `${name}@refused`, key, value: refusal }),
  ]
}

/** What nginx would do for these requests and cannot be done here; null: nothing. */
function whyClosed({ path, dest }: VirtualPlace, proto: string): string | null {
  if (!SCHEMES.has(proto)) return `VIRTUAL_PROTO ${quote(proto)} is not supported`
  if (dest === '' || dest === path) return null
  return `VIRTUAL_DEST ${quote(dest)} is not supported: the path of a request cannot be changed`
}

type RouteTerm =
  { readonly ok: true; readonly route: string } | { readonly ok: false; readonly why: string }

function routeOf({ host, path }: VirtualPlace): RouteTerm {
  const hosts = hostTerm(host)
  if (path === '/') return { ok: true, route: hosts }
  const paths = pathTerm(path)
  return paths === null
    ? { ok: false, why: `VIRTUAL_PATH ${quote(path)} must begin with / or ~` }
    : { ok: true, route: `${hosts} && ${paths}` }
}

/** nginx' server_name: `*.a` is any number of labels, as is `a.*`, and `.a` is `a` and `*.a`. */
function hostTerm(host: string): string {
  if (host.startsWith('~')) return routeCall('HostRegexp', [host.slice(1)])
  if (host.startsWith('*.')) return routeCall('Host', [`*${host}`])
  if (host.startsWith('.')) return routeCall('Host', [host.slice(1), `**${host}`])
  if (!host.endsWith('.*')) return routeCall('Host', [host])
  return routeCall('HostRegexp', [`^${escapeRegexp(host.slice(0, -1))}.+$`])
}

/** nginx' location: a prefix compares texts, so that `/api` is also one of `/apix`. */
function pathTerm(path: string): string | null {
  const [, modifier = '', value = ''] = /^(=|~\*|\^~|~)?\s*(.*)$/s.exec(path) ?? []
  if (modifier === '~') return routeCall('PathRegexp', [value])
  if (modifier === '~*') return routeCall('PathRegexp', [`(?i)${value}`])
  if (!/^\/[^<]*$/.test(value)) return null
  if (modifier === '=') return routeCall('Path', [value])
  return value.endsWith('/')
    ? routeCall('PathPrefix', [value])
    : routeCall('Path', [`${value}<path:rest>`])
}
