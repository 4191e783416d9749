/**
 * The admin API: the state of a running Sluice and a few actions, on a listener of its own. It shows no secrets, and serves
 * before the first table is in force. It uses node:http, because it belongs to the control plane.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { formatAddress } from '../model/address.ts'
import { isLoopbackHost } from '../model/ip.ts'
import type { Address } from '../model/snapshot.ts'
import type { Log } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics/metrics.ts'
import { type CertificatesView, writeCertificates } from './certificates.ts'
import { compileNames, refusalOf } from './guard.ts'
import { toJson } from './json.ts'
import { parseAction, refuseAction, type Action, type Providers } from './providers.ts'
import { writeSlices } from './slices.ts'
import { parseServersFilter, toList, type ServersView } from './servers.ts'
import { parseTableFilter, writeTable, type TableView } from './table.ts'

export interface AdminOptions extends Providers {
  readonly address: Address
  /** Hosts that are allowed besides localhost, the loopback addresses and the local address; see compileNames. */
  readonly names?: readonly string[]
  readonly table: () => TableView
  readonly servers: ServersView
  readonly certificates: CertificatesView
  readonly metrics: Pick<Metrics, 'contentType' | 'render'>
  /** True if the first table is in force in every serving thread and no drain has begun. */
  readonly ready: () => Readiness
  readonly log: Log
}

export interface Readiness {
  readonly ready: boolean
  readonly reason: string
  /** Listeners that cannot listen, because a port is in use for example. One listening listener is enough to be ready. */
  readonly notListening: readonly object[]
}

export interface Admin {
  /** With the actual port. */
  readonly address: Address
  /** Finishes requests in flight, for at most a second. */
  close(): Promise<void>
}

const LIMITS = {
  maxHeaderSize: 8 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
}
const MAX_CONNECTIONS = 256
/** Without progress in either direction. */
const STALL_MS = 60_000
const CLOSE_WITHIN_MS = 1_000

const SECURITY_FIELDS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
}

/** Rejects with a one-line reason if it cannot listen. */
export async function createAdmin(options: AdminOptions): Promise<Admin> {
  const { log } = options
  const server = createServer(LIMITS, createHandler(options))
  server.maxConnections = MAX_CONNECTIONS
  server.timeout = STALL_MS
  const address = await listen(server, options.address)
  server.on('error', (err) => log.warn({ err }, 'the admin could not accept a connection'))
  if (!isLoopbackHost(address.host)) {
    log.warn(
      { address: formatAddress(address) },
      'the admin can be reached from other machines, without a password; bind it to 127.0.0.1 or guard the port',
    )
  }
  return { address, close: () => close(server) }
}

type Page = (response: ServerResponse, query: string) => void | Promise<void>

type Handler = (request: IncomingMessage, response: ServerResponse) => void

function createHandler(options: AdminOptions): Handler {
  const { metrics, table, servers, certificates, ready, providers, log } = options
  const isNamed = compileNames(options.names ?? [])

  const pages: Readonly<Record<string, Page>> = {
    '/': (response) => send(response, 200, 'text/plain; charset=utf-8', INDEX),
    '/healthz': (response) => send(response, 200, 'text/plain; charset=utf-8', 'ok\n'),
    '/readyz': (response) => {
      const readiness = ready()
      sendJson(response, readiness.ready ? 200 : 503, readiness)
    },
    '/metrics': async (response) => {
      send(response, 200, metrics.contentType, await metrics.render())
    },
    '/v2/status': (response) => sendJson(response, 200, { Status: 'ok' }),
    '/api/providers': (response) => sendJson(response, 200, providers()),
    '/api/table': async (response, query) => {
      const filter = parseTableFilter(query)
      if (typeof filter === 'string') return sendJson(response, 400, { message: filter })
      response.setHeader('Content-Type', 'application/json')
      if (response.req.method === 'HEAD') response.end()
      else await writeTable(response, table(), filter)
    },
    '/api/certificates': async (response) => {
      response.setHeader('Content-Type', 'application/json')
      if (response.req.method === 'HEAD') response.end()
      else await writeSlices(response, writeCertificates(certificates))
    },
    '/api/servers': (response, query) => sendList(response, servers.servers(), query),
    '/api/breakers': (response, query) => sendList(response, servers.breakers(), query),
  }

  return (request, response) => {
    respond(request, response).catch((err: unknown) => {
      log.error({ err, path: request.url }, 'the admin could not respond')
      if (response.headersSent) response.destroy()
      else sendJson(response, 500, { message: 'internal error' })
    })
  }

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(SECURITY_FIELDS)) response.setHeader(name, value)
    // Only actions have a body.
    if (hasBody(request)) response.setHeader('Connection', 'close')
    const refusal = refusalOf(request, isNamed)
    if (refusal !== null) return sendJson(response, refusal.status, { message: refusal.message })

    const target = request.url ?? '/'
    const mark = target.indexOf('?')
    const path = mark === -1 ? target : target.slice(0, mark)
    const action = parseAction(path)
    if (action !== null) return await act(action, path, request, response)
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined
    if (page === undefined) return sendJson(response, 404, { message: 'Object not found' })
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD')
      return sendJson(response, 405, { message: 'only GET and HEAD are allowed here' })
    }
    await page(response, mark === -1 ? '' : target.slice(mark + 1))
  }

  async function act(
    action: Action,
    path: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    if (request.method !== 'POST') {
      response.setHeader('Allow', 'POST')
      return sendJson(response, 405, { message: 'only POST is allowed here' })
    }
    const { status, message } = (await refuseAction(request)) ?? action(options)
    if (status === 200) log.info({ path, from: request.socket.remoteAddress }, message)
    sendJson(response, status, { message })
  }
}

const INDEX = `Sluice admin

/healthz      200 while the process runs
/readyz       200 if the table is in force in every serving thread, else 503 and the reason
/metrics      for Prometheus
/api/table    the routing table and rejected objects with their reasons; ?kind=frontend&id=...
/api/servers  the state of each server: health, ejection, share of requests; ?backend=...
/api/breakers the state of each breaker; ?backend=...
/api/certificates             certificates, when they end, and those that are ordered
/api/providers                the state of each source
/api/providers/NAME/confirm   POST: confirm a held shrink
/api/providers/NAME/reload    POST: read the source again
/v2/status    as vulcand
`

function hasBody(request: IncomingMessage): boolean {
  const length = request.headers['content-length']
  return (
    request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
  )
}

function sendJson(response: ServerResponse, status: number, value: object): void {
  send(response, status, 'application/json', `${toJson(value)}\n`)
}

async function sendList(
  response: ServerResponse,
  reports: Parameters<typeof toList>[0],
  query: string,
): Promise<void> {
  const filter = parseServersFilter(query)
  if (typeof filter === 'string') return sendJson(response, 400, { message: filter })
  response.setHeader('Content-Type', 'application/json')
  if (response.req.method === 'HEAD') response.end()
  else await writeSlices(response, toList(reports, filter))
}

/** For HEAD, node:http sends no body. */
function send(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) })
  response.end(text)
}

function listen(server: Server, wanted: Address): Promise<Address> {
  return new Promise((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException): void => {
      const why = LISTEN_ERRORS[cause.code ?? ''] ?? cause.message
      reject(new Error(`cannot listen on ${formatAddress(wanted)} (admin): ${why}`, { cause }))
    }
    server.once('error', fail)
    const host = wanted.host === '' ? {} : { host: wanted.host }
    server.listen({ port: wanted.port, ...host }, () => {
      server.off('error', fail)
      const bound = server.address()
      const port = typeof bound === 'object' && bound !== null ? bound.port : wanted.port
      resolve({ host: wanted.host, port })
    })
  })
}

const LISTEN_ERRORS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use; stop what holds it, or set admin.address to another port',
  EACCES: 'this user may not; take a port above 1023, or grant the right to bind it',
  EADDRNOTAVAIL: 'this machine does not have the address; set admin.address to one that it has',
  ENOTFOUND: 'the name is not known; set admin.address to an address of this machine',
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), CLOSE_WITHIN_MS)
    server.close(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}
