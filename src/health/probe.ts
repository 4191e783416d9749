/**
 * One question to one server: does it take a connection, does it answer as expected. A connection of its own each time, as
 * a client that is new to it would have. It sets no time limit: whoever asks ends it by the signal, see prober.ts.
 */
import { connect as connectTcp, isIP, type LookupFunction, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Dispatcher } from 'undici'
import { shortageOf } from '../http/shortage.ts'
import { denyHost } from '../model/denied-address.ts'
import { bracketHost, withoutRoot } from '../model/address.ts'
import { isSocketPath } from '../model/server-url.ts'
import type { Backend, HealthCheck, Server } from '../model/snapshot.ts'
import { compileRegexp } from '../routing/regexp.ts'
import { contextFor } from '../upstream/connecting/connect-target.ts'
import { httpClient } from './http-client.ts'

export interface ProbeTarget {
  readonly server: Server
  readonly check: HealthCheck
  readonly tls: Backend['tls']
}

/** `reason` is for people: `GET /healthz answered 503, expected 200-399`. */
export type ProbeResult =
  | { readonly ok: true; readonly tookMs: number }
  /** `shortage`: the code of a shortage of our own, that tells nothing of the server. */
  | { readonly ok: false; readonly reason: string; readonly shortage?: string }

export interface Probe {
  /** Never rejects; ends soon when the signal says so. */
  (target: ProbeTarget, signal: AbortSignal): Promise<ProbeResult>
  /** Begins to load what the question needs; true when that has ended. A probe that comes sooner waits for it, in its own time. */
  readonly prepare?: (target: ProbeTarget) => boolean
}

/** What is read of a body to look for the pattern in it. */
const MOST_BODY_BYTES = 64 * 1024

export function createProbe(
  version: string,
  lookup: LookupFunction,
  now: () => number = () => performance.now(),
): Probe {
  const userAgent = `sluice-health/${version}`
  let client: 'unloaded' | 'loading' | 'loaded or missing' = 'unloaded'

  function prepare({ check }: ProbeTarget): boolean {
    if (check.http === null || client === 'loaded or missing') return true
    if (client === 'unloaded') {
      client = 'loading'
      // What is missing is the reason of each probe.
      void Promise.allSettled([httpClient.load()]).then(() => (client = 'loaded or missing'))
    }
    return false
  }

  async function probe(target: ProbeTarget, signal: AbortSignal): Promise<ProbeResult> {
    const began = now()
    try {
      const reason = await ask(new Line(target, lookup), userAgent, signal)
      return reason === null ? { ok: true, tookMs: now() - began } : { ok: false, reason }
    } catch (error) {
      const shortage = shortageOf(error)
      return { ok: false, reason: messageOf(error), ...(shortage === null ? {} : { shortage }) }
    }
  }

  return Object.assign(probe, { prepare })
}

/** Null: all is well. */
async function ask(line: Line, userAgent: string, signal: AbortSignal): Promise<string | null> {
  const { server, check } = line.target
  const denied = denyHost(server.host)
  if (denied !== null) return `${server.host} is not asked: it ${denied}`
  // Not through undici: it would hear of it only once there is a connection.
  const callOff = (): void => line.close(new Error('it was called off'))
  signal.addEventListener('abort', callOff)
  if (signal.aborted) callOff()
  try {
    const asked = check.http === null ? line.connected() : askHttp(line, check.http, userAgent)
    const reason = await asked
    if (line.error !== null && shortageOf(line.error) !== null) throw line.error
    return reason
  } finally {
    signal.removeEventListener('abort', callOff)
    line.close(null)
  }
}

async function askHttp(
  line: Line,
  http: NonNullable<HealthCheck['http']>,
  userAgent: string,
): Promise<string | null> {
  const { method, path } = http
  const { Client } = await httpClient.load()
  const client = new Client(line.origin, {
    connect: (_options, done) => {
      line.open(
        (socket) => done(null, socket),
        (error) => done(error, null),
      )
    },
    // No second request: it asks the server to close.
    pipelining: 0,
    headersTimeout: 0,
    bodyTimeout: 0,
  })
  try {
    const headers = headersOf(http, userAgent)
    const asked = method as Dispatcher.HttpMethod
    const { statusCode, body } = await client.request({ method: asked, path, headers })
    // What is left of it goes with the connection.
    body.on('error', () => undefined)
    if (!http.statuses.some(([from, to]) => statusCode >= from && statusCode <= to)) {
      return `${method} ${path} answered ${statusCode}, expected ${statusesText(http.statuses)}`
    }
    if (http.body === null || (await holds(http.body, body))) return null
    return `${method} ${path} answered ${statusCode}, but its body does not match ${http.body}`
  } catch (error) {
    if (!line.isOpen) return `cannot connect to ${line.where}: ${messageOf(error)}`
    return `${method} ${path} got no whole answer: ${messageOf(error)}`
  } finally {
    await client.destroy()
  }
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
    if (bytes >= MOST_BODY_BYTES) break
  }
  return regexp.test(Buffer.concat(chunks).toString('utf8', 0, MOST_BODY_BYTES))
}

/** The connection of one probe, closed with it whatever state it is in. */
class Line {
  readonly origin: string
  readonly where: string
  /** It has been connected, with TLS where that is spoken. */
  isOpen = false
  /** Why it was not. */
  error: Error | null = null
  readonly target: ProbeTarget
  readonly #lookup: LookupFunction
  readonly #host: string
  readonly #port: number
  #socket: Socket | null = null
  /** Why it cannot be opened (again). */
  #ended: Error | null = null

  constructor(target: ProbeTarget, lookup: LookupFunction) {
    const { scheme } = target.server
    const { host, port } = placeOf(target)
    this.target = target
    this.#lookup = lookup
    this.#host = host
    this.#port = port
    this.where = describePlace(target)
    // So it stands in Host.
    this.origin = isSocketPath(host)
      ? 'http://localhost'
      : `${scheme}://${bracketHost(withoutRoot(host))}:${port}`
  }

  /** For a check without http: null as soon as there is a connection. */
  connected(): Promise<string | null> {
    return new Promise((resolve) => {
      this.open(
        () => resolve(null),
        (error) => resolve(`cannot connect to ${this.where}: ${messageOf(error)}`),
      )
    })
  }

  /** Once. */
  open(onOpen: (socket: Socket) => void, onError: (error: Error) => void): void {
    if (this.#ended !== null) {
      onError(this.#ended)
      return
    }
    this.#ended = new Error('the connection was closed before the answer')
    const speaksTls = this.target.server.scheme === 'https' && this.target.check.http !== null
    const socket = speaksTls ? this.#connectTls() : this.#connectTcp()
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('error', (error) => {
      if (this.isOpen) return
      this.error = error
      onError(error)
    })
    socket.once(speaksTls ? 'secureConnect' : 'connect', () => {
      this.isOpen = true
      onOpen(socket)
    })
  }

  /** `error`: what whoever waits for it is told. */
  close(error: Error | null): void {
    this.#ended ??= error
    this.#socket?.destroy(error ?? undefined)
  }

  #connectTcp(): Socket {
    if (isSocketPath(this.#host)) return connectTcp({ path: this.#host })
    return connectTcp({ host: this.#host, port: this.#port, lookup: this.#lookup })
  }

  #connectTls(): Socket {
    const { server, tls } = this.target
    return connectTls({
      host: server.host,
      port: this.#port,
      lookup: this.#lookup,
      secureContext: contextFor(tls.ca),
      // RFC 6066 section 3: an address is not a name to ask for.
      servername: tls.serverName ?? (isIP(server.host) === 0 ? withoutRoot(server.host) : ''),
      rejectUnauthorized: tls.verify,
      ALPNProtocols: ['http/1.1'],
    })
  }
}

/** Another port of a server on a unix socket is one of this machine. */
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

function messageOf(error: unknown): string {
  // Several addresses were tried: each has its own.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ')
  return error instanceof Error ? error.message : String(error)
}
