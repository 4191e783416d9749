/**
 * Requests of a client and their responses, within bounds of time and size. It keeps connections, follows no redirect and uses
 * no proxy of the environment.
 */
import { Agent, type ClientRequest, type IncomingMessage, request as plainRequest } from 'node:http'
import { Agent as SecureAgent, request as secureRequest } from 'node:https'
import { parseBaseUrl, type Target } from './base-url.ts'
import { memberOf, SluiceError } from './sluice-error.ts'

/** What is known of the admin's certificate, and the certificate of the client. PEM texts. */
export interface ClientTls {
  /** Authorities instead of those of the system. */
  readonly ca?: string
  /** The certificate that the admin has: neither its name nor its issuer matters. */
  readonly pin?: string
  /** The certificate of the client and its key. */
  readonly cert?: string
  readonly key?: string
  /** The name in the certificate of the admin, if it is not that of the URL. */
  readonly serverName?: string
  /** False: any certificate is taken. Not with a token or a certificate, which would be sent to a stranger. */
  readonly verify?: boolean
}

export interface ClientOptions {
  /**
   * `http://HOST:PORT`, `https://HOST:PORT`, or `unix:PATH` of a socket; what follows the port stands before all paths.
   * Default: http://127.0.0.1:8182.
   */
  readonly baseUrl?: string
  /** Of `admin.tokens`. */
  readonly token?: string
  readonly tls?: ClientTls
  /** Of one request without its `wait`, in ms. Default: 30,000. */
  readonly timeoutMs?: number
  /** Of a response. Default: 64 MiB. */
  readonly maxBytes?: number
}

export type Query = Readonly<Record<string, string | number | boolean | null | undefined>>

export interface CallOptions {
  /** Gives the request up. */
  readonly signal?: AbortSignal
}

export interface ApiRequest extends CallOptions {
  readonly method: string
  /** With encoded segments: `pathOf`. */
  readonly path: string
  /** `true` is sent as 1; false, null and undefined are left out. */
  readonly query?: Query
  /** Sent as JSON, unless it is undefined. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string | undefined>>
  /** Instead of those of the client. */
  readonly timeoutMs?: number
  readonly maxBytes?: number
}

export interface ApiResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** Of JSON its value, else the text. */
  readonly body: unknown
}

export interface Transport {
  /** Where it connects to, for messages. */
  readonly place: string
  /** Resolves with any response of 2xx. Rejects with SluiceError. */
  request(request: ApiRequest): Promise<ApiResponse>
  /** As `request`; the content is not read, and there is no limit of time behind the head. */
  open(request: ApiRequest): Promise<IncomingMessage>
  /** Gives up what is under way. */
  close(): void
}

const DEFAULT_URL = 'http://127.0.0.1:8182'
export const TIMEOUT_MS: number = 30_000
/** Further requests wait: an admin takes 256 connections of all its clients. */
const MAX_CONNECTIONS = 16
const MAX_BYTES = 64 * 1024 * 1024
/** Of an error, whose message is cut. */
const MAX_MESSAGE = 2_000

/** Throws TypeError if the options cannot be used. */
export function createTransport(options: ClientOptions): Transport {
  const target = parseBaseUrl(options.baseUrl ?? DEFAULT_URL)
  const { token, tls = {} } = options
  refuseOptions(target, options)
  const kept = { keepAlive: true, maxSockets: MAX_CONNECTIONS }
  const agent = target.isTls ? new SecureAgent(kept) : new Agent(kept)
  const secure = target.isTls ? toTlsOptions(tls) : {}
  const closing = new AbortController()

  function start(request: ApiRequest, signal: AbortSignal, isAlone: boolean): ClientRequest {
    const text = request.body === undefined ? null : JSON.stringify(request.body)
    const headers: Record<string, string> = {
      Accept: 'application/json',
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      // An action without a body needs it, too: no page of another site can send it.
      ...(request.method === 'GET' ? {} : { 'Content-Type': 'application/json' }),
      ...(request.method === 'GET' ? {} : { 'Content-Length': `${Buffer.byteLength(text ?? '')}` }),
    }
    for (const [name, value] of Object.entries(request.headers ?? {})) {
      if (value !== undefined) headers[name] = value
    }
    const outgoing = (target.isTls ? secureRequest : plainRequest)({
      ...target.where,
      ...secure,
      ...(isAlone ? { agent: false } : { agent }),
      method: request.method,
      path: target.prefix + request.path + toQuery(request.query),
      headers,
      signal,
    })
    outgoing.end(text ?? undefined)
    return outgoing
  }

  /** The head of the response. */
  function send(
    request: ApiRequest,
    signal: AbortSignal,
    isAlone: boolean,
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      let outgoing: ClientRequest
      try {
        outgoing = start(request, signal, isAlone)
      } catch (cause) {
        // What node:http will not send.
        const reason = cause instanceof Error ? cause.message : String(cause)
        const { method, path } = request
        reject(
          new SluiceError(`cannot be sent: ${reason}`, { code: 'MALFORMED', method, path, cause }),
        )
        return
      }
      let isSent = false
      let isAnswered = false
      outgoing.once('finish', () => (isSent = true))
      outgoing.once('response', (response) => {
        isAnswered = true
        resolve(response)
      })
      outgoing.on('error', (cause: NodeJS.ErrnoException) => {
        // Its reader sees it.
        if (isAnswered) return
        // The server closed an idle connection as this request took it. A write may have been done.
        if (outgoing.reusedSocket && request.method === 'GET' && cause.code === 'ECONNRESET') {
          send(request, signal, true).then(resolve, reject)
        } else reject(failure(request, cause, signal, isSent))
      })
    })
  }

  function failure(
    request: ApiRequest,
    cause: unknown,
    signal: AbortSignal,
    isSent: boolean,
  ): SluiceError {
    if (cause instanceof SluiceError) return cause
    const { method, path } = request
    const doubt =
      isSent && method !== 'GET' ? '; it is not known whether it was done: read it again' : ''
    const about = { method, path, cause }
    if (signal.aborted) {
      if (isTimeout(signal.reason)) {
        const message = `the admin at ${target.place} did not respond in time${doubt}`
        return new SluiceError(message, { ...about, code: 'TIMEOUT', cause: signal.reason })
      }
      const message = `the request to ${target.place} was given up${doubt}`
      return new SluiceError(message, { ...about, code: 'ABORTED', cause: signal.reason })
    }
    const { code = 'UNREACHABLE', message = '' } = cause as NodeJS.ErrnoException
    const reason = REASONS[code] ?? (message === '' ? code : message)
    return new SluiceError(`cannot reach the admin at ${target.place}: ${reason}${doubt}`, {
      ...about,
      code,
    })
  }

  async function read(
    request: ApiRequest,
    response: IncomingMessage,
    signal: AbortSignal,
  ): Promise<ApiResponse> {
    const { method, path, maxBytes = options.maxBytes ?? MAX_BYTES } = request
    const pieces: Buffer[] = []
    let bytes = 0
    try {
      for await (const piece of response as AsyncIterable<Buffer>) {
        bytes += piece.length
        if (bytes > maxBytes) {
          const message = `the response of ${target.place} has more than ${maxBytes} bytes`
          throw new SluiceError(message, { code: 'TOO_LARGE', method, path })
        }
        pieces.push(piece)
      }
    } catch (cause) {
      throw failure(request, cause, signal, true)
    }
    const { statusCode: status = 0, headers } = response
    const text = Buffer.concat(pieces).toString('utf8')
    const isJson = headers['content-type']?.startsWith('application/json') === true
    const body = isJson ? parse(text) : text
    if (status < 200 || status > 299) throw refused(request, status, headers.etag, body)
    if (body === undefined && status !== 204) {
      const message = `${target.place} responds to ${path} with what is no JSON`
      throw new SluiceError(message, { status, code: 'MALFORMED', method, path })
    }
    return { status, headers, body }
  }

  function refused(
    { method, path }: ApiRequest,
    status: number,
    etag: string | undefined,
    body: unknown,
  ): SluiceError {
    const said = memberOf(body, 'message')
    const reason = typeof said === 'string' ? said : typeof body === 'string' ? body.trim() : ''
    const message = reason === '' ? `${target.place} responds to ${path} with ${status}` : reason
    return new SluiceError(message.slice(0, MAX_MESSAGE), {
      ...{ status, body, method, path },
      ...(etag === undefined ? {} : { etag }),
    })
  }

  function signalOf(request: ApiRequest, limit: AbortSignal | null): AbortSignal {
    const { signal } = request
    return AbortSignal.any(
      [closing.signal, signal, limit].filter((one) => one !== null && one !== undefined),
    )
  }

  return {
    place: target.place,
    async request(request) {
      const limit = AbortSignal.timeout(request.timeoutMs ?? options.timeoutMs ?? TIMEOUT_MS)
      const signal = signalOf(request, limit)
      return read(request, await send(request, signal, false), signal)
    },
    async open(request) {
      const limit = new AbortController()
      const ms = request.timeoutMs ?? options.timeoutMs ?? TIMEOUT_MS
      const timer = setTimeout(() => limit.abort(new DOMException('', 'TimeoutError')), ms)
      const signal = signalOf(request, limit.signal)
      try {
        const response = await send(request, signal, true)
        if (response.statusCode !== 200) {
          await read(request, response, signal)
          throw refused(request, response.statusCode ?? 0, undefined, undefined)
        }
        return response
      } finally {
        clearTimeout(timer)
      }
    },
    close() {
      closing.abort(new Error('the client is closed'))
      agent.destroy()
    },
  }
}

/** Each part is one segment. */
export function pathOf(...segments: readonly string[]): string {
  return segments.map((segment) => `/${encodeURIComponent(segment)}`).join('')
}

/** The options of a request that are those of a call. */
export function toSignal({ signal }: CallOptions): CallOptions {
  return signal === undefined ? {} : { signal }
}

function refuseOptions(target: Target, { token, tls }: ClientOptions): void {
  if (token !== undefined && !/^[\x21-\x7e]{1,4096}$/.test(token)) {
    throw new TypeError('token must be 1 to 4096 printable characters of ASCII without spaces')
  }
  if (tls !== undefined && !target.isTls) {
    throw new TypeError(`tls needs a baseUrl with https, not ${target.place}`)
  }
  if (tls?.verify === false && (token !== undefined || tls.cert !== undefined)) {
    throw new TypeError(
      'tls.verify: false would send the token or certificate to a stranger: use tls.pin or tls.ca',
    )
  }
  if ((tls?.cert === undefined) !== (tls?.key === undefined)) {
    throw new TypeError('tls.cert and tls.key need each other')
  }
}

function toTlsOptions({ ca, pin, cert, key, serverName, verify }: ClientTls): object {
  const trusted = pin ?? ca
  return {
    ...(trusted === undefined ? {} : { ca: trusted }),
    // The certificate itself is known, so its names need not be those of this address, nor its issuer be there.
    ...(pin === undefined
      ? {}
      : { allowPartialTrustChain: true, checkServerIdentity: () => undefined }),
    ...(cert === undefined ? {} : { cert, key }),
    ...(serverName === undefined ? {} : { servername: serverName }),
    ...(verify === false ? { rejectUnauthorized: false } : {}),
  }
}

function toQuery(query: Query = {}): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === null || value === false) continue
    search.set(name, value === true ? '1' : String(value))
  }
  const text = search.toString()
  return text === '' ? '' : `?${text}`
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof Error && reason.name === 'TimeoutError'
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOENT: 'there is no such socket',
  EACCES: 'this user may not use the socket',
  ENOTFOUND: 'the name is not known',
  ECONNRESET: 'the connection was closed',
  EPIPE: 'the connection was closed',
}
