/**
 * The part of Docker's API that Sluice uses, over a Unix socket or TCP: GET /version, /events and /containers, and POST for what
 * scales services and containers. Engines refuse versions of the API that are too old for them (Docker 29: below 1.44) or too new,
 * so the version is negotiated.
 */
import { isMap, quote } from '../../model/parsed.ts'
import { createJsonSplitter } from '../http-client/event-stream.ts'
import { HttpFailure } from '../http-client/failure.ts'
import { createHttpClient } from '../http-client/http-client.ts'
import { SourceRefused } from '../provider.ts'
import type { RegistryTls } from '../registry/options.ts'
import type { DockerEndpoint } from './endpoint.ts'

export interface EngineClient {
  /** For messages. */
  readonly where: string
  /** Negotiates the version; before every other call. */
  connect(signal: AbortSignal): Promise<void>
  /** Rejects if the engine does not answer; it must be reachable. */
  ping(): Promise<void>
  /** A list that the API returns as JSON: `/containers/json?all=1`, `/services` ... `filters` as the API has them. */
  list(path: string, signal: AbortSignal, filters?: Filters): Promise<readonly unknown[]>
  /** One object of the API; null: there is none. */
  get(path: string, signal: AbortSignal): Promise<unknown>
  /** `GET /containers/ID/json`; null: there is no such container. */
  inspect(id: string, signal: AbortSignal): Promise<unknown>
  /** What the engine answers; undefined: nothing. 304, that it is so already, is no failure. */
  post(path: string, call: PostCall): Promise<unknown>
  /** Events of these types; resolves when they are delivered. */
  events(types: readonly string[], signal: AbortSignal): Promise<AsyncIterable<unknown>>
  close(): void
}

export interface PostCall {
  readonly signal: AbortSignal
  /** Sent as JSON. */
  readonly body?: unknown
  /** Default: that of every call, 4 s. */
  readonly timeoutMs?: number
}

export type Filters = Readonly<Record<string, readonly string[]>>

/** Between these, what is read here has the same form. */
const OLDEST = [1, 24] as const
const NEWEST = [1, 52] as const
type Version = readonly [major: number, minor: number]

const TIMEOUT_MS = 4_000
const PING_TIMEOUT_MS = 2_500
/** Some 10,000 containers. */
const MAX_LIST_BYTES = 32 << 20
/** Of a POST: that it is created, has no content, or is so already. */
const DONE = [200, 201, 202, 204, 304]
/** The labels of a container are in each of its events. */
const MAX_EVENT_CHARS = 1 << 20

export function createEngineClient(
  endpoint: DockerEndpoint,
  tls: RegistryTls | null,
): EngineClient {
  const { socketPath, address } = endpoint
  const http = createHttpClient({
    what: 'the Docker engine',
    origin:
      address === null ? 'http://localhost' : `${tls === null ? 'http' : 'https'}://${address}`,
    socketPath,
    tls,
  })
  let prefix = ''

  async function json(path: string, signal: AbortSignal, maxBytes?: number): Promise<unknown> {
    const call = { signal, timeoutMs: TIMEOUT_MS, ...(maxBytes === undefined ? {} : { maxBytes }) }
    try {
      return (await http.json(prefix + path, call)).body
    } catch (error) {
      throw explain(error, endpoint, tls)
    }
  }

  async function get(path: string, signal: AbortSignal): Promise<unknown> {
    try {
      return await json(path, signal)
    } catch (error) {
      if (error instanceof HttpFailure && error.status === 404) return null
      throw error
    }
  }

  return {
    where: endpoint.text,
    async connect(signal) {
      prefix = ''
      prefix = `/v${negotiate(await json('/version', signal), endpoint.text)}`
    },
    async ping() {
      await http.text('/version', { timeoutMs: PING_TIMEOUT_MS })
    },
    async list(path, signal, filters) {
      const joint = path.includes('?') ? '&' : '?'
      const query =
        filters === undefined
          ? ''
          : `${joint}filters=${encodeURIComponent(JSON.stringify(filters))}`
      const list = await json(path + query, signal, MAX_LIST_BYTES)
      // An empty list of Podman may be null.
      if (list === null) return []
      if (Array.isArray(list)) return list as readonly unknown[]
      throw new Error(`${path} of ${endpoint.text} is not a list but ${quote(list)}`)
    },
    get,
    inspect: (id, signal) => get(`/containers/${encodeURIComponent(id)}/json`, signal),
    async post(path, { signal, body, timeoutMs = TIMEOUT_MS }) {
      const call = { method: 'POST', signal, timeoutMs, accept: DONE } as const
      const sent =
        body === undefined
          ? call
          : {
              ...call,
              headers: { 'content-type': 'application/json' },
              body: JSON.stringify(body),
            }
      try {
        return (await http.json(prefix + path, sent)).body
      } catch (error) {
        throw explain(error, endpoint, tls)
      }
    },
    async events(types, signal) {
      const query = `?filters=${encodeURIComponent(JSON.stringify({ type: types }))}`
      try {
        const call = { signal, timeoutMs: TIMEOUT_MS, idleMs: null }
        const { body } = await http.stream(`${prefix}/events${query}`, call)
        return readEvents(body, endpoint.text)
      } catch (error) {
        throw explain(error, endpoint, tls)
      }
    },
    close: () => http.close(),
  }
}

async function* readEvents(
  chunks: AsyncIterable<string>,
  where: string,
): AsyncGenerator<unknown, void, undefined> {
  const split = createJsonSplitter(MAX_EVENT_CHARS)
  for await (const chunk of chunks) {
    for (const text of split(chunk)) {
      try {
        yield JSON.parse(text) as unknown
      } catch (cause) {
        throw new Error(`an event of ${where} is not JSON: ${quote(text.slice(0, 100))}`, { cause })
      }
    }
  }
}

/** The newest version that both know, as `1.44`. Throws if there is none. */
export function negotiate(answer: unknown, where: string): string {
  const { ApiVersion: newest, MinAPIVersion: oldest } = isMap(answer) ? answer : {}
  const last = parseVersion(newest)
  if (last === null) {
    throw new Error(`${where} does not answer as a Docker engine: /version has no ApiVersion`)
  }
  // Missing in engines older than 1.12.
  const first = parseVersion(oldest) ?? last
  if (isBefore(last, OLDEST)) {
    throw new Error(
      `the Docker engine at ${where} has API ${last.join('.')}, at least ${OLDEST.join('.')} is needed`,
    )
  }
  const common = isBefore(NEWEST, last) ? NEWEST : last
  // An engine that has dropped all versions from before: what is read may still be as it was.
  return (isBefore(common, first) ? first : common).join('.')
}

function parseVersion(text: unknown): Version | null {
  const match = typeof text === 'string' ? /^(\d{1,4})\.(\d{1,4})$/.exec(text) : null
  return match === null ? null : [Number(match[1]), Number(match[2])]
}

function isBefore([major, minor]: Version, [otherMajor, otherMinor]: Version): boolean {
  return major < otherMajor || (major === otherMajor && minor < otherMinor)
}

/** What would help with the usual mistakes. */
function explain(error: unknown, { socketPath, text }: DockerEndpoint, tls: unknown): unknown {
  const code = codeOf(error)
  if (code === 'EACCES' && socketPath !== null) {
    const message = `cannot open ${socketPath}: permission denied; run Sluice in the socket's group, or reach the engine over a proxy of its socket`
    return new SourceRefused(message, { cause: error })
  }
  if (code === 'ENOENT' && socketPath !== null) {
    return new Error(
      `there is no socket ${socketPath}: is the Docker engine running, and the socket mounted into this container?`,
      { cause: error },
    )
  }
  if (code === 'ECONNREFUSED' && socketPath !== null) {
    return new Error(
      `no engine listens at ${socketPath}: it is not running, or has made its socket anew since the old one was mounted into this container (mount the socket's folder)`,
      { cause: error },
    )
  }
  const isPlain =
    error instanceof HttpFailure && error.status === 400 && /HTTPS/.test(error.message)
  if (isPlain && tls === null) {
    return new Error(`${text} speaks TLS: add tls with ca, cert and key`, { cause: error })
  }
  return error
}

/** Of the innermost cause that has one. */
function codeOf(error: unknown): string | null {
  let code: string | null = null
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string') code = at.code
  }
  return code
}
