/**
 * A client of one registry's HTTP API at one origin or Unix socket. Everything it reads is bounded in size and time, it
 * follows no redirect, and it never retries: its owner opens another one, because only the owner knows what was missed.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { Agent, buildConnector, type Dispatcher } from 'undici'
import { addressOf } from '../../dns/dialing.ts'
import { escapeControls } from '../../model/parsed.ts'
import { SourceRefused } from '../provider.ts'
import type { RegistryTls } from '../registry/options.ts'
import { HttpFailure, describeError } from './failure.ts'
import { parseBounded } from './parse-bounded.ts'

export interface HttpClientOptions {
  /** For messages: `Consul`. */
  readonly what: string
  /** `http://host:port` or `https://host:port`, without a path. */
  readonly origin: string
  /** Null: the origin is reached over TCP. */
  readonly socketPath?: string | null
  readonly tls?: RegistryTls | null
  /** With every request. They may hold secrets, so no message shows them. */
  readonly headers?: Readonly<Record<string, string>>
  /** At most; further calls wait for one. 256 by default. */
  readonly connections?: number
  /** For a connection with its TLS handshake. 2 s by default. */
  readonly connectMs?: number
}

export interface HttpCall {
  readonly signal?: AbortSignal
  /** For the whole response; of `stream`: for its head. */
  readonly timeoutMs: number
  readonly method?: 'GET' | 'PUT' | 'POST' | 'DELETE'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Statuses that are returned; another one is a failure. 200 by default. */
  readonly accept?: readonly number[] | 'all'
  /** Of the body, 16 MiB by default. */
  readonly maxBytes?: number
}

export interface HttpResponse<Body> {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Body
}

/** Each call rejects with SourceRefused for 401 and 403 that `accept` does not name, else with HttpFailure. */
export interface HttpClient {
  readonly origin: string
  /** Undefined for an empty body. */
  json(path: string, call: HttpCall): Promise<HttpResponse<unknown>>
  text(path: string, call: HttpCall): Promise<HttpResponse<string>>
  /** A response without an end. Its text fails if nothing arrives for `idleMs`; null: it may be silent. */
  stream(
    path: string,
    call: HttpCall & { readonly idleMs: number | null },
  ): Promise<HttpResponse<AsyncIterable<string>>>
  /** Ends all calls. */
  close(): void
}

export const MAX_BODY_BYTES: number = 16 << 20
const CONNECT_TIMEOUT_MS = 2_000
/** What is read of an error response, for its message. */
const MAX_REASON_BYTES = 4_096
const MAX_HEAD_BYTES = 16 << 10
const MAX_CONNECTIONS = 256
/** Chunks of a body: beyond this number they must be larger than SMALL_PART_BYTES on average. */
const MAX_SMALL_PARTS = 100_000
const SMALL_PART_BYTES = 16
const PARTS_PER_BLOCK = 1_024

export function createHttpClient(options: HttpClientOptions): HttpClient {
  const { what, origin, socketPath = null, headers = {} } = options
  const where = socketPath ?? origin
  const hide = hideSecrets(headers)
  const closing = new AbortController()
  const agent = new Agent({
    connect: createConnect(options),
    connections: options.connections ?? MAX_CONNECTIONS,
    pipelining: 1,
    maxHeaderSize: MAX_HEAD_BYTES,
    // Each call has its own limits.
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: 10_000,
  })

  function failed(
    path: string,
    cause: unknown,
    { method = 'GET' }: Pick<HttpCall, 'method'>,
  ): Error {
    if (cause instanceof SourceRefused || cause instanceof HttpFailure) return cause
    const reason = hide(hideQuery(path, escapeControls(describeError(cause))))
    const act = method === 'POST' ? 'call' : 'read'
    return new HttpFailure(
      `cannot ${act} ${withoutQuery(path)} of ${what} at ${where}: ${reason}`,
      null,
      {
        cause,
      },
    )
  }

  async function send(
    path: string,
    call: HttpCall,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const { method = 'GET', body = null, accept = ACCEPTED } = call
    const sent = agent.request({
      origin,
      path,
      method,
      headers: { accept: 'application/json', ...headers, ...call.headers },
      body,
      signal,
    })
    const response = await orAborted(sent, signal)
    if (accept === 'all' || accept.includes(response.statusCode)) return response
    const { statusCode } = response
    const reason = shorten(hide(hideQuery(path, await readStart(response))))
    const message = `${what} at ${where} responds to ${withoutQuery(path)} with ${statusCode}${reason === '' ? '' : `: ${reason}`}`
    if (statusCode === 401 || statusCode === 403) throw new SourceRefused(message)
    throw new HttpFailure(message, statusCode)
  }

  async function text(path: string, call: HttpCall): Promise<HttpResponse<string>> {
    const signal = AbortSignal.any([
      ...(call.signal === undefined ? [] : [call.signal]),
      closing.signal,
      AbortSignal.timeout(call.timeoutMs),
    ])
    try {
      const response = await send(path, call, signal)
      const body = await readWhole(response, call.maxBytes ?? MAX_BODY_BYTES)
      return { status: response.statusCode, headers: response.headers, body }
    } catch (cause) {
      throw failed(path, cause, call)
    }
  }

  return {
    origin,
    text,
    async json(path, call) {
      const { status, headers, body } = await text(path, call)
      if (body === '') return { status, headers, body: undefined }
      try {
        return { status, headers, body: parseBounded(body) }
      } catch (cause) {
        throw failed(path, cause, call)
      }
    },
    async stream(path, call) {
      const ending = new AbortController()
      const timer = setTimeout(() => ending.abort(new Error('no response in time')), call.timeoutMs)
      const signal = AbortSignal.any([
        ...(call.signal === undefined ? [] : [call.signal]),
        closing.signal,
        ending.signal,
      ])
      try {
        const response = await send(path, call, signal)
        const chunks = readChunks(response, call.idleMs, ending, (cause) =>
          failed(path, cause, call),
        )
        return { status: response.statusCode, headers: response.headers, body: chunks }
      } catch (cause) {
        throw failed(path, cause, call)
      } finally {
        clearTimeout(timer)
      }
    },
    close() {
      closing.abort(new Error('the connection was closed'))
      void agent.destroy()
    },
  }
}

const ACCEPTED: readonly number[] = [200]

/** A gateway may show the request in the page of an error. */
function hideSecrets(headers: Readonly<Record<string, string>>): (text: string) => string {
  const secrets = Object.entries(headers).flatMap(([name, value]) =>
    // `Basic dXNlcjpwYXNz` is a secret from its second word on.
    /auth|token|secret|key|cookie/i.test(name) ? [value, value.replace(/^\S+[ =]/, '')] : [],
  )
  return (text) =>
    secrets.reduce(
      (left, secret) => (secret.length < 4 ? left : left.replaceAll(secret, '***')),
      text,
    )
}

/** The values of the path's query, as they were sent and decoded. Short ones are no secrets, but words of other texts. */
function hideQuery(path: string, text: string): string {
  const [, query = ''] = /\?(.*)$/.exec(path) ?? []
  const sent = query.split('&').map((part) => part.replace(/^[^=]*=/, ''))
  return [...sent, ...new URLSearchParams(query).values()].reduce(
    (left, value) => (value.length < 6 ? left : left.replaceAll(value, '***')),
    text,
  )
}

/** undici looks at the signal once there is a connection only, which a silent peer keeps from being. */
function orAborted<T>(sent: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(toError(signal.reason))
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
    sent.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}

/** Host names are resolved by this process, not by libuv's threads. */
function createConnect({
  socketPath = null,
  tls = null,
  connectMs = CONNECT_TIMEOUT_MS,
}: HttpClientOptions): buildConnector.connector {
  const connect = buildConnector({
    timeout: connectMs,
    allowH2: false,
    ...(socketPath === null ? {} : { socketPath }),
    ...(tls === null
      ? {}
      : {
          rejectUnauthorized: tls.verify,
          ...(tls.ca === null ? {} : { ca: tls.ca }),
          ...(tls.cert === null || tls.key === null ? {} : { cert: tls.cert, key: tls.key }),
        }),
  })
  if (socketPath !== null) return connect
  return (target, callback) => {
    addressOf(target.hostname).then(
      (address) => {
        // Without a name of its own, undici verifies that of the origin.
        const servername = tls?.serverName ?? target.servername
        connect(
          { ...target, hostname: address, ...(servername === undefined ? {} : { servername }) },
          callback,
        )
      },
      (error: unknown) => callback(error as Error, null),
    )
  }
}

async function readWhole({ body, headers }: Dispatcher.ResponseData, max: number): Promise<string> {
  const length = Number(headers['content-length'] ?? 0)
  const blocks: Buffer[] = []
  /** Copied into a block before they are many: a part of one byte takes a hundred. */
  let parts: Buffer[] = []
  let count = 0
  let size = 0
  try {
    if (length > max) throw tooLong(max)
    for await (const part of body as AsyncIterable<Buffer>) {
      count += 1
      size += part.length
      if (size > max) throw tooLong(max)
      if (count > MAX_SMALL_PARTS && size < count * SMALL_PART_BYTES)
        throw new Error(`the response comes in more than ${MAX_SMALL_PARTS} tiny chunks`)
      parts.push(part)
      if (parts.length < PARTS_PER_BLOCK) continue
      blocks.push(Buffer.concat(parts))
      parts = []
    }
  } finally {
    body.destroy()
  }
  return Buffer.concat([...blocks, ...parts]).toString()
}

function tooLong(max: number): Error {
  return new Error(`the response has more than ${max} bytes`)
}

/** For a message, so a failure to read it is none. */
async function readStart(response: Dispatcher.ResponseData): Promise<string> {
  const parts: Buffer[] = []
  let size = 0
  try {
    for await (const part of response.body as AsyncIterable<Buffer>) {
      parts.push(part)
      size += part.length
      if (size >= MAX_REASON_BYTES) break
    }
  } catch {
    // The status says enough.
  } finally {
    response.body.destroy()
  }
  return Buffer.concat(parts).toString().trim()
}

/** It may be long, and hold a secret. */
function withoutQuery(path: string): string {
  return path.replace(/\?.*/, '')
}

function shorten(text: string): string {
  const line = text.replace(/[\p{C}\s]+/gu, ' ')
  return line.length > 200 ? `${line.slice(0, 200)}...` : line
}

async function* readChunks(
  { body }: Dispatcher.ResponseData,
  idleMs: number | null,
  ending: AbortController,
  failed: (cause: unknown) => Error,
): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder()
  const silence = (): void =>
    ending.abort(new Error(`nothing has arrived for ${(idleMs ?? 0) / 1000} s`))
  let timer = idleMs === null ? null : setTimeout(silence, idleMs)
  try {
    for await (const part of body as AsyncIterable<Buffer>) {
      timer?.refresh()
      yield decoder.decode(part, { stream: true })
    }
  } catch (cause) {
    throw failed(cause)
  } finally {
    if (timer !== null) clearTimeout(timer)
    timer = null
    body.destroy()
  }
}
