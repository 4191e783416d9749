/**
 * The admin: the state of a running Sluice, its objects and a few actions, on listeners of its own. It shows no secrets unless
 * a proven client asks for them, and serves before the first table is in force. It uses node:http, because it belongs to the
 * control plane.
 *
 *   Host and Origin -> who asks -> endpoint -> may they -> body -> run -> answer
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { formatAddress } from '../model/address.ts'
import { quote } from '../model/parsed.ts'
import { isLoopbackHost } from '../model/ip.ts'
import type { Address } from '../model/snapshot.ts'
import type { Log } from '../observe/log.ts'
import { type AccessSettings, anonymousRole, authorize, createAccess, type Way } from './access.ts'
import { readBody } from './body.ts'
import { type Answer, type Caller, type Endpoint, json, reading, Refused } from './endpoint.ts'
import { compileNames, refusalOf } from './guard.ts'
import { indexText } from './index-page.ts'
import {
  type AdminCertificate,
  listenAt,
  type ListeningOnSocket,
  listenOnSocket,
} from './listening.ts'
import { stateEndpoints, type StateOptions } from './pages.ts'
import { descriptionEndpoint } from './description.ts'
import { text } from './openapi/schema.ts'
import { createRouter, type Find } from './router.ts'
import { send } from './send.ts'
import { isVulcandPath, refusedByVulcand } from './vulcand-answer.ts'

export interface AdminOptions extends StateOptions {
  readonly address: Address
  /** Hosts that are allowed besides localhost, the loopback addresses and the local address; see compileNames. */
  readonly names?: readonly string[]
  /** The path of a unix socket that it also serves. */
  readonly socket?: string | null
  /** Descriptors of sockets that listen already; absent: it opens its own. */
  readonly inherited?: { readonly address: number | null; readonly socket: number | null }
  /** Null: plain HTTP. */
  readonly certificate?: AdminCertificate | null
  /** Who may do what, as it is now. */
  readonly access?: () => AccessSettings
  readonly endpoints?: readonly Endpoint[]
  /** Of the program, for the description of the API. */
  readonly version?: string
  readonly log: Log
}

export interface Admin {
  /** With the actual port. */
  readonly address: Address
  /** All that it serves. */
  readonly endpoints: readonly Endpoint[]
  /** Takes another certificate for connections that come later. */
  replaceCertificate(certificate: AdminCertificate): void
  /** Of its listening sockets. */
  descriptors(): { readonly address: number; readonly socket: number | null }
  /** Finishes requests in flight, for at most a second. `isPassedOn`: another process goes on with the sockets. */
  close(how?: { readonly isPassedOn: boolean }): Promise<void>
}

const SECURITY_FIELDS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
}

/** Refused requests are logged at most once in this time. */
const LOG_REFUSED_MS = 1000

/** Rejects with a one-line reason if it cannot listen. */
export async function createAdmin(options: AdminOptions): Promise<Admin> {
  const { log, socket = null, certificate = null } = options
  const access = options.access ?? openTo(options.address)
  const endpoints = endpointsOf(options)
  const handle = createHandler(options, endpoints, access)
  const { address: fd, socket: socketFd } = options.inherited ?? { address: null, socket: null }
  const byAddress: RequestListener = (request, response) => handle(request, response, 'address')
  const listening = await listenAt(options.address, certificate, byAddress, { fd })
  const { address } = listening
  const react = (err: Error): void => log.warn({ err }, 'the admin could not accept a connection')
  listening.onError(react)
  let local: ListeningOnSocket | null = null
  if (socket !== null) {
    try {
      const bySocket: RequestListener = (request, response) => handle(request, response, 'socket')
      local = await listenOnSocket(socket, bySocket, socketFd)
    } catch (error) {
      await listening.close()
      throw error
    }
    local.onError(react)
  }
  if (!isLoopbackHost(address.host)) warn(log, address, access(), certificate)
  return {
    address,
    endpoints,
    replaceCertificate: listening.replace,
    descriptors: () => ({ address: listening.descriptor(), socket: local?.descriptor() ?? null }),
    async close({ isPassedOn } = { isPassedOn: false }) {
      await Promise.all([listening.close(), local?.close(isPassedOn)])
    },
  }
}

/** Without settings: everything on loopback, else nothing. */
function openTo(address: Address): () => AccessSettings {
  const settings = { address, tokens: [], tls: null, anonymous: null }
  return () => settings
}

function warn(
  log: Log,
  address: Address,
  settings: AccessSettings,
  certificate: AdminCertificate | null,
): void {
  const fields = { address: formatAddress(address) }
  const role = anonymousRole(settings, 'address')
  if (role === 'none' && settings.tokens.length === 0 && certificate?.ca == null) {
    log.warn(
      fields,
      'the admin can be reached from other machines, and refuses all but /healthz and /readyz: set admin.tokens, or admin.anonymous to what every client may do',
    )
  } else if (role !== 'none') {
    log.warn(
      { ...fields, anonymous: role },
      `the admin can be reached from other machines, and every client has the role ${role}: bind it to 127.0.0.1, set admin.tokens, or guard the port`,
    )
  } else if (certificate === null) {
    log.warn(
      fields,
      'the admin can be reached from other machines without TLS, so tokens are sent in clear: set admin.tls',
    )
  }
}

type Handle = (request: IncomingMessage, response: ServerResponse, way: Way) => void

function endpointsOf(options: AdminOptions): readonly Endpoint[] {
  const listed = [...stateEndpoints(options), ...(options.endpoints ?? [])]
  const index = reading(
    '/',
    'this list',
    () => ({
      status: 200,
      content: {
        kind: 'text',
        type: 'text/plain; charset=utf-8',
        text: indexText([description, ...listed]),
      },
    }),
    { needs: 'none', gives: { type: 'text/plain', schema: text } },
  )
  const description = descriptionEndpoint(() => all, options.version ?? '0')
  const all = [index, description, ...listed]
  return all
}

function createHandler(
  options: AdminOptions,
  endpoints: readonly Endpoint[],
  access: () => AccessSettings,
): Handle {
  const { log } = options
  const isNamed = compileNames(options.names ?? [])
  const identify = createAccess(access)
  const find = createRouter(endpoints)
  let loggedAt = -Infinity

  return (request, response, way) => {
    respond(request, response, way).catch((err: unknown) => {
      log.error({ err, path: request.url }, 'the admin could not respond')
      if (response.headersSent) response.destroy()
      else send(response, json(500, { message: 'internal error' })).catch(() => {})
    })
  }

  async function respond(
    request: IncomingMessage,
    response: ServerResponse,
    way: Way,
  ): Promise<void> {
    for (const [name, value] of Object.entries(SECURITY_FIELDS)) response.setHeader(name, value)
    // What is refused before its body is read leaves it in the connection.
    if (hasBody(request)) response.setHeader('Connection', 'close')
    let answer: Answer
    try {
      answer = await answerTo(request, way)
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      if (isVulcandPath(request.url ?? '')) return send(response, refusedByVulcand(error))
      const { status, message, fields, headers } = error
      answer = json(status, { message, ...fields }, headers)
    }
    await send(response, answer)
  }

  async function answerTo(request: IncomingMessage, way: Way): Promise<Answer> {
    const refusal = refusalOf(request, isNamed, way === 'socket')
    if (refusal !== null) throw new Refused(refusal.status, refusal.message)
    const target = request.url ?? '/'
    const mark = target.indexOf('?')
    const path = mark === -1 ? target : target.slice(0, mark)
    const { endpoint, parameters, caller } = admit(request, way, path)
    const query = new URLSearchParams(mark === -1 ? '' : target.slice(mark + 1))
    checkQuery(query, endpoint)
    const body = await readBody(request, endpoint.body)
    const { method } = endpoint
    const audit = (fields: object, message: string): void =>
      log.info({ who: caller.name, from: caller.peer, method, path, ...fields }, message)
    const { headers } = request
    const isStillAllowed = (): boolean => isAllowed(request, way, endpoint)
    return endpoint.run({
      method,
      path,
      parameters,
      query,
      headers,
      body,
      caller,
      isStillAllowed,
      audit,
    })
  }

  function isAllowed(request: IncomingMessage, way: Way, { needs }: Endpoint): boolean {
    if (request.socket.destroyed) return false
    try {
      authorize(identify(request, way), needs)
      return true
    } catch (error) {
      if (error instanceof Refused) return false
      throw error
    }
  }

  function admit(
    request: IncomingMessage,
    way: Way,
    path: string,
  ): Located & { readonly caller: Caller } {
    try {
      const caller = callerOf(request, way, path)
      const located = locate(find, request.method ?? '', path, caller)
      authorize(caller, located.endpoint.needs)
      return { ...located, caller }
    } catch (error) {
      const { status = 0, message = '' } = error instanceof Refused ? error : {}
      if (status === 401 || status === 403) logRefused(request, status, message)
      throw error
    }
  }

  /** A probe with an old token is not to find the program unwell: what needs no role takes any token. */
  function callerOf(request: IncomingMessage, way: Way, path: string): Caller {
    try {
      return identify(request, way)
    } catch (error) {
      const found = find(request.method ?? '', path)
      const isOpen = found.kind === 'endpoint' && found.endpoint.needs === 'none'
      if (!isOpen || !(error instanceof Refused)) throw error
      const peer = request.socket.remoteAddress ?? 'unix'
      return { name: 'anonymous', role: 'none', isProven: false, peer }
    }
  }

  function logRefused(request: IncomingMessage, status: number, reason: string): void {
    const now = performance.now()
    if (now - loggedAt < LOG_REFUSED_MS) return
    loggedAt = now
    const from = request.socket.remoteAddress ?? 'unix'
    log.warn({ from, status, reason, path: request.url }, 'the admin refused a request')
  }
}

interface Located {
  readonly endpoint: Endpoint
  readonly parameters: Readonly<Record<string, string>>
}

/** Throws Refused. Without a role, a client does not learn which paths there are. */
function locate(find: Find, method: string, path: string, caller: Caller): Located {
  const found = find(method, path)
  if (found.kind === 'endpoint') return found
  if (caller.role === 'none') authorize(caller, 'read')
  if (found.kind === 'nothing') throw new Refused(404, 'Object not found')
  const allowed = found.methods.join(', ')
  const only = allowed === 'GET, HEAD' ? 'GET and HEAD are' : `${allowed} is`
  throw new Refused(405, `only ${only} allowed here`, {}, { Allow: allowed })
}

/** Throws Refused: a misspelt filter would return everything, and a misspelt dryRun would write. */
function checkQuery(query: URLSearchParams, endpoint: Endpoint): void {
  const known = Object.keys(endpoint.query)
  if (known.length === 0 && endpoint.method === 'GET') return
  for (const name of query.keys()) {
    if (!known.includes(name)) {
      const those = known.length === 0 ? 'it takes none' : `it takes ${known.join(', ')}`
      throw new Refused(400, `${endpoint.path} has no parameter ${quote(name)}: ${those}`)
    }
    if (query.getAll(name).length > 1) {
      throw new Refused(400, `the parameter ${quote(name)} is there more than once`)
    }
  }
}

function hasBody(request: IncomingMessage): boolean {
  const length = request.headers['content-length']
  return (
    request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
  )
}
