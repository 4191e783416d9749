/** Servers, inside their backend or with keys of their own. Parsed by hand, because there may be 100,000. */
import * as z from 'zod'
import { serverName, strict, whole } from '../options/fields.ts'
import { parseServerName } from '../model/address.ts'
import { labels, parseLabels } from './labels.ts'
import { refuseId } from '../model/names.ts'
import {
  bad,
  isMap,
  flaw,
  quote,
  refuse,
  type Flaw,
  type Parsed,
  type Scalar,
} from '../model/parsed.ts'
import { isStreamScheme, parseServerUrl, type Scheme } from '../model/server-url.ts'
import { PROTOCOLS, protocolOfServer } from './http2-to-servers.ts'
import type { Protocol, Resolve, Server } from '../model/snapshot.ts'
import { didYouMean } from '../model/suggest.ts'

const MAX_WEIGHT = 1000
const SERVER_KEYS = [
  ...['url', 'weight', 'backup', 'drain', 'protocol', 'resolve', 'hostname', 'labels'],
]

const RESOLVES = ['one', 'all'] as const satisfies readonly Resolve[]

/** Of a server, and of a backend for its servers. */
export const resolve: z.ZodEnum<{ one: 'one'; all: 'all' }> = z.enum(RESOLVES).meta({
  description: 'What the name in a url stands for.',
  enumDescriptions: [
    'One server, with any number of addresses.',
    'Each of its addresses is a server of its own, which comes and goes with the records.',
  ],
})

const URL_PATTERN = '^((https?|h2c|tcp|tls)://|unix:|\\$\\{)'

/** Used for the JSON Schema only; the functions below are the parsers. */
export const serverForms: z.ZodType = z.union([
  z.string().meta({ pattern: URL_PATTERN, description: 'A url: http://10.0.0.7:8080' }),
  strict(
    {
      url: z.string().meta({
        pattern: URL_PATTERN,
        description:
          'http, https or h2c (HTTP/2 without TLS), no path; tcp or tls for other streams; or a socket: unix:/run/app.sock.',
      }),
      weight: whole('Its share of the traffic, 1 to 1000.', 1, MAX_WEIGHT).prefault(1),
      backup: z
        .boolean()
        .optional()
        .meta({ description: 'It gets requests only if no other server may be used.' }),
      drain: z
        .boolean()
        .optional()
        .meta({ description: 'It gets no new requests; requests in flight finish.' }),
      protocol: protocolOfServer,
      resolve: resolve.optional(),
      hostname: serverName(
        'The name for Host, SNI and verification instead of the host of the url.',
      ).optional(),
      labels: labels.optional(),
    },
    'A server with its weight.',
  ),
])

type Complain = (message: string, path: readonly string[]) => void

/** `id`: without the backend's. */
export function parseServer(id: string, value: unknown): Parsed<Server> {
  const flaws: Flaw[] = []
  const server = readServer(id, value, (message, path) => flaws.push(flaw(path, message)))
  return server === null ? refuse(flaws) : { ok: true, value: server }
}

/** Returns the valid ones, each url once. */
export function readServers(value: unknown, complain: Complain): readonly Server[] {
  if (!isMap(value)) {
    complain(`must be a map of ids to urls, not ${quote(value)}`, [])
    return []
  }
  const found: Server[] = []
  const holders = new Map<string, string>()
  for (const [id, declared] of Object.entries(value)) {
    const server = readServer(id, declared, (message, path) => complain(message, [id, ...path]))
    if (server === null) continue
    const holder = holders.get(server.url)
    if (holder === undefined) {
      holders.set(server.url, id)
      found.push(server)
    } else {
      // Backend and url identify an endpoint, so a second server would share the first one's counters.
      complain(
        `${quote(server.url)} is already the server ${quote(holder)}; use weight to send it more`,
        [id],
      )
    }
  }
  return found
}

/** Null after a call of `complain`. */
function readServer(id: string, declared: unknown, complain: Complain): Server | null {
  const refused = refuseId(id)
  if (refused !== null) {
    complain(refused, [])
    return null
  }
  const form = isMap(declared) ? declared : { url: declared }
  const unknown = Object.keys(form).filter((key) => !SERVER_KEYS.includes(key))
  for (const key of unknown) {
    complain(`unknown key ${quote(key)}${didYouMean(key, SERVER_KEYS)}`, [key])
  }
  const weight = form['weight'] ?? 1
  if (!isWeight(weight)) {
    complain(`must be a whole number from 1 to ${MAX_WEIGHT}, not ${quote(weight)}`, ['weight'])
    return null
  }
  const backup = form['backup'] ?? false
  const drain = form['drain'] ?? false
  if (typeof backup !== 'boolean' || typeof drain !== 'boolean') {
    const key = typeof backup === 'boolean' ? 'drain' : 'backup'
    complain(`must be true or false, not ${quote(form[key])}`, [key])
    return null
  }
  const { protocol, resolve, hostname } = form
  if (protocol !== undefined && !isProtocol(protocol)) {
    complain(`must be http/1.1, h2 or auto, not ${quote(protocol)}`, ['protocol'])
    return null
  }
  if (resolve !== undefined && !isResolve(resolve)) {
    complain(`must be one or all, not ${quote(resolve)}`, ['resolve'])
    return null
  }
  const name = hostname === undefined ? null : readHostname(hostname)
  if (name !== null && !name.ok) {
    complain(name.reason, ['hostname'])
    return null
  }
  const notes = parseLabels(form['labels'])
  if (!notes.ok) {
    complain(notes.reason, ['labels'])
    return null
  }
  const url = parseServerUrl(form['url'])
  if (!url.ok) {
    complain(url.reason, isMap(declared) ? ['url'] : [])
    return null
  }
  const useless = protocol === undefined ? null : refuseProtocol(protocol, url.value.scheme)
  if (useless !== null) {
    complain(useless, ['protocol'])
    return null
  }
  if (unknown.length > 0) return null
  return {
    id,
    ...url.value,
    weight,
    backup,
    drain,
    ...(protocol === undefined ? {} : { protocol }),
    ...(resolve === undefined ? {} : { resolve }),
    ...(name === null ? {} : { hostname: name.value }),
    labels: notes.value,
  }
}

/** Null: the URL leaves the choice. */
function refuseProtocol(protocol: Protocol, scheme: Scheme): string | null {
  if (isStreamScheme(scheme))
    return `is for requests, and a server with ${scheme}:// takes connections: leave it out`
  if (scheme === 'h2c' && protocol === 'http/1.1')
    return 'contradicts h2c://, which is HTTP/2: write http:// for HTTP/1.1'
  return null
}

function isProtocol(value: unknown): value is Protocol {
  return PROTOCOLS.some((one) => one === value)
}

function isResolve(value: unknown): value is Resolve {
  return RESOLVES.some((one) => one === value)
}

function readHostname(value: unknown): Scalar<string> {
  return typeof value === 'string'
    ? parseServerName(value)
    : bad(`must be a name, not ${quote(value)}`)
}

function isWeight(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_WEIGHT
}
