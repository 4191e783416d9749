/**
 * One health probe of one server: does it accept a connection, does it respond as expected. Each probe has a new connection, as
 * a new client has. A probe has no time limit of its own: the caller ends it with the signal, see prober.ts.
 */
import { connect as connectTcp, type LookupFunction, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { Client, Dispatcher } from 'undici'
import { shortageOf } from '../http/connection/shortage.ts'
import { writeProxyHeader } from '../http/proxy-protocol/write-header.ts'
import { denyHost } from '../model/denied-address.ts'
import { bracketHost } from '../model/address.ts'
import { messageOf } from '../model/error-message.ts'
import { hostnameOf, isSocketPath, isStreamScheme, speaksTls } from '../model/server-url.ts'
import type { Backend, HealthCheck, Protocol, Server } from '../model/snapshot.ts'
import { compileRegexp } from '../policy/regexp.ts'
import { contextFor, OFFERS, sniOf } from '../upstream/connecting/connect-target.ts'
import { probeGrpc } from './grpc-probe.ts'
import { httpClient } from './http-client.ts'
import { requestHttp2 } from './http2-probe.ts'

export interface ProbeTarget {
  readonly server: Server
  readonly check: HealthCheck
  readonly tls: Backend['tls']
  readonly proxyProtocol: Backend['proxyProtocol']
  /** What requests to it travel by. */
  readonly wire: Protocol
}

/** `reason` for people: `GET /healthz returned 503, expected 200-399`. */
export type ProbeResult =
  | { readonly ok: true; readonly tookMs: number }
  /** `shortage`: the code of a shortage of this process; the result is no evidence about the server. */
  | { readonly ok: false; readonly reason: string; readonly shortage?: string }

export interface Probe {
  /** Never rejects; ends soon after the signal is aborted. */
  (target: ProbeTarget, signal: AbortSignal): Promise<ProbeResult>
  /** Begins to load what the probe needs; returns true when that has ended. An earlier probe waits for it, within its time. */
  readonly prepare?: (target: ProbeTarget) => boolean
}

/** How much of a body is read and compared with the pattern. */
const MAX_BODY_BYTES = 64 * 1024

export function createProbe(version: string, lookup: LookupFunction): Probe {
  const userAgent = `sluice-health/${version}`
  let client: 'unloaded' | 'loading' | 'loaded or missing' = 'unloaded'

  function prepare({ check }: ProbeTarget): boolean {
    if (check.http === null || client === 'loaded or missing') return true
    if (client === 'unloaded') {
      client = 'loading'
      // If loading fails, each probe fails with the reason.
      void Promise.allSettled([httpClient.load()]).then(() => (client = 'loaded or missing'))
    }
    return false
  }

  async function probe(target: ProbeTarget, signal: AbortSignal): Promise<ProbeResult> {
    const began = performance.now()
    try {
      const reason = await runProbe(new ProbeConnection(target, lookup), userAgent, signal)
      return reason === null
        ? { ok: true, tookMs: performance.now() - began }
        : { ok: false, reason }
    } catch (error) {
      const shortage = shortageOf(error)
      return { ok: false, reason: reasonOf(error), ...(shortage === null ? {} : { shortage }) }
    }
  }

  return Object.assign(probe, { prepare })
}

/** The check of one server: if the backend's declares no request, a server of streams is only connected. */
export function checkOf({ scheme }: Server, check: HealthCheck): HealthCheck {
  return check.http?.isDeclared === false && isStreamScheme(scheme)
    ? { ...check, http: null }
    : check
}

/** Returns why the probe failed, or null. */
async function runProbe(
  connection: ProbeConnection,
  userAgent: string,
  signal: AbortSignal,
): Promise<string | null> {
  const { server, check } = connection.target
  const denied = denyHost(server.host)
  if (denied !== null) return `${server.host} is not probed: it ${denied}`
  // Not through undici, which handles the signal only once there is a connection.
  const abort = (): void => connection.close(new Error('it was called off'))
  signal.addEventListener('abort', abort)
  if (signal.aborted) abort()
  try {
    const { http, grpc } = check
    const reason = await (grpc !== null
      ? callHealth(connection, grpc.service, userAgent)
      : http !== null
        ? probeHttp(connection, http, userAgent)
        : connection.connected())
    const { error } = connection
    if (error !== null && shortageOf(error) !== null) throw error
    return reason
  } finally {
    signal.removeEventListener('abort', abort)
    connection.close(null)
  }
}

function callHealth(
  connection: ProbeConnection,
  service: string,
  userAgent: string,
): Promise<string | null> {
  return new Promise((resolve) => {
    connection.open(
      (socket) => resolve(probeGrpc(socket, { origin: connection.origin, service, userAgent })),
      (error) => resolve(`cannot connect to ${connection.where}: ${reasonOf(error)}`),
    )
  })
}

async function probeHttp(
  connection: ProbeConnection,
  http: NonNullable<HealthCheck['http']>,
  userAgent: string,
): Promise<string | null> {
  const { method, path } = http
  try {
    const headers = headersOf(http, userAgent)
    const { statusCode, body } = await (connection.target.wire === 'http/1.1'
      ? requestHttp1(connection, null, { method, path, headers })
      : requestChosen(connection, { method, path, headers }))
    if (!http.statuses.some(([from, to]) => statusCode >= from && statusCode <= to)) {
      return `${method} ${path} returned ${statusCode}, expected ${statusesText(http.statuses)}`
    }
    if (http.body === null || (await holds(http.body, body))) return null
    return `${method} ${path} returned ${statusCode}, but its body does not match ${http.body}`
  } catch (error) {
    if (!connection.isOpen) return `cannot connect to ${connection.where}: ${reasonOf(error)}`
    return `${method} ${path} got no complete response: ${reasonOf(error)}`
  } finally {
    await connection.client?.destroy()
  }
}

interface ProbeRequest {
  readonly method: string
  readonly path: string
  readonly headers: Record<string, string>
}

interface ProbeResponse {
  readonly statusCode: number
  readonly body: AsyncIterable<Uint8Array>
}

/** By what the server chooses in the TLS handshake; without TLS by HTTP/2 with prior knowledge. */
async function requestChosen(
  connection: ProbeConnection,
  request: ProbeRequest,
): Promise<ProbeResponse> {
  const socket = await new Promise<Socket>((resolve, reject) => connection.open(resolve, reject))
  const { wire } = connection.target
  if (!('alpnProtocol' in socket) || (socket as TLSSocket).alpnProtocol === 'h2')
    return requestHttp2(socket, { origin: connection.origin, ...request })
  if (wire === 'h2') throw new Error('the server does not choose HTTP/2 in the TLS handshake')
  return requestHttp1(connection, socket, request)
}

/** `socket`: that of the connection if it is open already. */
async function requestHttp1(
  connection: ProbeConnection,
  socket: Socket | null,
  { method, path, headers }: ProbeRequest,
): Promise<ProbeResponse> {
  const { Client } = await httpClient.load()
  const client = new Client(connection.origin, {
    connect: (_options, done) => {
      // Not before undici has noted that it connects.
      if (socket !== null) process.nextTick(done, null, socket)
      else
        connection.open(
          (opened) => done(null, opened),
          (error) => done(error, null),
        )
    },
    // One request: undici sends Connection: close.
    pipelining: 0,
    headersTimeout: 0,
    bodyTimeout: 0,
  })
  connection.client = client
  const verb = method as Dispatcher.HttpMethod
  const response = await client.request({ method: verb, path, headers })
  // The rest of the body ends with the connection.
  response.body.on('error', () => undefined)
  return response
}

function headersOf(
  { host, headers }: NonNullable<HealthCheck['http']>,
  userAgent: string,
): Record<string, string> {
  const hasAgent = Object.keys(headers).some((name) => name.toLowerCase() === 'user-agent')
  return {
    ...(hasAgent ? {} : { 'user-agent': userAgent }),
    ...headers,
    ...(host === null ? {} : { host }),
  }
}

async function holds(pattern: string, body: AsyncIterable<Uint8Array>): Promise<boolean> {
  const regexp = compileRegexp(pattern, false, (message) => {
    throw new Error(message)
  })
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes >= MAX_BODY_BYTES) break
  }
  return regexp.test(Buffer.concat(chunks).toString('utf8', 0, MAX_BODY_BYTES))
}

/** The connection of one probe, closed at its end in any state. */
class ProbeConnection {
  readonly origin: string
  readonly where: string
  /** The connection is established, including TLS if the probe uses it. */
  isOpen = false
  /** Of undici, on this connection. */
  client: Client | null = null
  /** Why it could not be established. */
  error: Error | null = null
  readonly target: ProbeTarget
  readonly #lookup: LookupFunction
  readonly #host: string
  readonly #port: number
  #socket: Socket | null = null
  /** Why it cannot be opened, or not again. */
  #ended: Error | null = null

  constructor(target: ProbeTarget, lookup: LookupFunction) {
    const { scheme, hostname } = target.server
    const { host, port } = placeOf(target)
    this.target = target
    this.#lookup = lookup
    this.#host = host
    this.#port = port
    this.where = describePlace(target)
    // undici sends it as Host.
    const name = bracketHost(hostnameOf({ host, hostname }))
    const protocol = speaksTls(scheme) ? 'https' : 'http'
    this.origin = isSocketPath(host) ? `http://${name}` : `${protocol}://${name}:${port}`
  }

  /** For a check without `http`: null as soon as there is a connection, or why there is none. */
  connected(): Promise<string | null> {
    return new Promise((resolve) => {
      this.open(
        () => resolve(null),
        (error) => resolve(`cannot connect to ${this.where}: ${reasonOf(error)}`),
      )
    })
  }

  /** To be called once. */
  open(onOpen: (socket: Socket) => void, onError: (error: Error) => void): void {
    if (this.#ended !== null) {
      onError(this.#ended)
      return
    }
    this.#ended = new Error('the connection was closed before a response')
    const { server, check } = this.target
    const isSecure = speaksTls(server.scheme) && (check.http !== null || check.grpc !== null)
    const header = proxyHeaderOf(this.target)
    const below = isSecure && header === null ? null : this.#connectTcp()
    if (header !== null) below?.write(header)
    const socket = below === null || isSecure ? this.#connectTls(below) : below
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('error', (error) => {
      if (this.isOpen) return
      this.error = error
      onError(error)
    })
    socket.once(isSecure ? 'secureConnect' : 'connect', () => {
      this.isOpen = true
      onOpen(socket)
    })
  }

  /** `error` is passed to the caller that waits. */
  close(error: Error | null): void {
    this.#ended ??= error
    this.#socket?.destroy(error ?? undefined)
  }

  #connectTcp(): Socket {
    if (isSocketPath(this.#host)) return connectTcp({ path: this.#host })
    return connectTcp({ host: this.#host, port: this.#port, lookup: this.#lookup })
  }

  /** `below`: a connection that has begun with other bytes. */
  #connectTls(below: Socket | null): Socket {
    const { server, tls, check, wire } = this.target
    const socket = connectTls({
      ...(below === null ? {} : { socket: below }),
      host: server.host,
      port: this.#port,
      lookup: this.#lookup,
      secureContext: contextFor(tls),
      servername: tls.serverName ?? sniOf(server),
      rejectUnauthorized: tls.verify,
      ALPNProtocols: check.grpc === null ? [...OFFERS[wire]] : ['h2'],
    })
    below?.on('error', (error) => socket.destroy(error))
    return socket
  }
}

/** Without addresses: no client is behind a probe. A port for probes alone gets none, as in HAProxy. */
function proxyHeaderOf({ server, check, proxyProtocol }: ProbeTarget): Buffer | null {
  if (proxyProtocol === null || (check.port !== null && check.port !== server.port)) return null
  return writeProxyHeader(proxyProtocol)
}

/** If a server on a unix socket is probed on a port, it is a port of this machine. */
function placeOf({ server: { host, port }, check }: ProbeTarget): {
  readonly host: string
  readonly port: number
} {
  const isElsewhere = isSocketPath(host) && check.port !== null
  return { host: isElsewhere ? '127.0.0.1' : host, port: check.port ?? port }
}

/** For people. */
export function describePlace(target: ProbeTarget): string {
  const { host, port } = placeOf(target)
  return isSocketPath(host) ? host : `${bracketHost(host)}:${port}`
}

function statusesText(statuses: NonNullable<HealthCheck['http']>['statuses']): string {
  return statuses.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(', ')
}

function reasonOf(error: unknown): string {
  // If several addresses were tried, each has its own error.
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join('; ')
  return messageOf(error)
}
