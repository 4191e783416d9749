/**
 * Requests to one CA (RFC 8555 section 6): signed, with a fresh nonce each, bounded in size and time. The CA is not trusted: it
 * can send no request to another origin, and its responses are not larger than what they may need.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { escapeControls, quote } from '../../model/parsed.ts'
import type { HttpClient } from '../../providers/http-client/http-client.ts'
import { describeError } from '../../providers/http-client/failure.ts'
import { parseBounded } from '../../providers/http-client/parse-bounded.ts'
import { AcmeError } from './acme-error.ts'
import { malformed } from './faults.ts'
import { signJws, type Signer } from './jws.ts'
import { helpLink, refusalOf } from './problem.ts'
import { retryAfterMs } from './retry-after.ts'

export interface CaResponse {
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly retryAfterMs: number | null
}

export interface CaRequest {
  /** For messages; completes `cannot`. */
  readonly what: string
  readonly url: string
  readonly signal?: AbortSignal | undefined
  /** The media type that is wanted. JSON by default. */
  readonly accept?: string
  /** It does no harm if the CA gets it twice. */
  readonly isRepeatable?: boolean
}

export interface SignedRequest extends CaRequest {
  /** Undefined reads a resource. */
  readonly payload: unknown
  readonly signer: Signer
}

export interface Conversation {
  /** `the CA at ca.example`, for messages. */
  readonly who: string
  readonly now: () => number
  get(request: CaRequest): Promise<CaResponse>
  post(request: SignedRequest): Promise<CaResponse>
}

export interface ConversationOptions {
  readonly http: HttpClient
  /** Of the directory: all URLs have its origin. */
  readonly origin: string
  /** Where nonces come from when none is left. */
  readonly nonceUrl: () => Promise<string>
  readonly requestMs: number
  /** Of the wall clock, ms since the epoch. */
  readonly now: () => number
}

/** A chain has some 6 KB, an order for 100 names some 20. */
const MAX_BYTES = 256 << 10
const MAX_NONCES = 16
/** A CA that is asked to may refuse four of ten nonces. */
const MAX_BAD_NONCES = 15
const MAX_SENDS = 3

export function createConversation(options: ConversationOptions): Conversation {
  const { http, origin, nonceUrl, requestMs, now } = options
  const who = `the CA at ${new URL(origin).host}`
  /** The newest last; CAs forget old ones. */
  const nonces: string[] = []

  async function send(request: CaRequest, body: (() => string) | null): Promise<CaResponse> {
    const { what, url, signal, accept = 'application/json' } = request
    const path = pathOf(url, origin, what, who)
    for (let sends = 1; ; sends++) {
      try {
        const {
          status,
          headers,
          body: text,
        } = await http.text(path, {
          method: body === null ? 'GET' : 'POST',
          headers: { accept, ...(body === null ? {} : JOSE) },
          ...(body === null ? {} : { body: body() }),
          ...(signal === undefined ? {} : { signal }),
          accept: 'all',
          timeoutMs: requestMs,
          maxBytes: MAX_BYTES,
        })
        keepNonce(headers)
        const wait = retryAfterMs(headers, now())
        if (status >= 200 && status < 300) return { url, headers, text, retryAfterMs: wait }
        throw refusalOf(jsonOrText(text), {
          what,
          who,
          status,
          retryAfterMs: wait,
          url: helpLink(headers),
        })
      } catch (cause) {
        if (cause instanceof AcmeError) throw cause
        const isSafe = request.isRepeatable === true || neverArrived(cause)
        if (signal?.aborted === true || !isSafe || isTimeout(cause) || sends === MAX_SENDS)
          throw unheard(what, who, cause, signal)
      }
    }
  }

  function keepNonce(headers: IncomingHttpHeaders): void {
    const nonce = headers['replay-nonce']
    if (typeof nonce !== 'string' || !/^[\w-]{1,512}$/.test(nonce)) return
    nonces.push(nonce)
    if (nonces.length > MAX_NONCES) nonces.shift()
  }

  async function takeNonce({ what, signal }: CaRequest): Promise<string> {
    const kept = nonces.pop()
    if (kept !== undefined) return kept
    await send({ what, url: await nonceUrl(), signal, isRepeatable: true }, null)
    const nonce = nonces.pop()
    if (nonce !== undefined) return nonce
    throw malformed(what, who, 'it gives no nonce')
  }

  return {
    who,
    now,
    get: (request) => send({ isRepeatable: true, ...request }, null),
    async post(request) {
      const { url, payload, signer } = request
      const isRepeatable = request.isRepeatable ?? payload === undefined
      for (let refused = 0; ; refused++) {
        const nonce = await takeNonce(request)
        try {
          const body = (): string => signJws(url, nonce, payload, signer)
          return await send({ ...request, isRepeatable }, body)
        } catch (error) {
          // RFC 8555 section 6.5: with the nonce of the refusal it is sent again.
          const isBadNonce = error instanceof AcmeError && error.type === 'badNonce'
          if (!isBadNonce || refused === MAX_BAD_NONCES) throw error
        }
      }
    },
  }
}

const JOSE = { 'content-type': 'application/jose+json' } as const

/** Path and query of a URL that the CA gave. Throws if it leads to somewhere else. */
function pathOf(url: string, origin: string, what: string, who: string): string {
  const parsed = URL.parse(url)
  if (parsed !== null && parsed.origin === origin && parsed.username === '' && url.length <= 2048)
    return parsed.pathname + parsed.search
  throw malformed(what, who, `it refers to ${quote(url)}, which is not at ${origin}`)
}

function jsonOrText(text: string): unknown {
  try {
    return parseBounded(text)
  } catch {
    return text.replace(/<[^>]*>/g, ' ')
  }
}

/** The body of a response. */
export function readJson({ text }: CaResponse, what: string, who: string): unknown {
  try {
    return parseBounded(text)
  } catch (cause) {
    throw malformed(what, who, describeError(cause))
  }
}

function unheard(
  what: string,
  who: string,
  cause: unknown,
  signal: AbortSignal | undefined,
): AcmeError {
  const inner = cause instanceof Error && cause.cause !== undefined ? cause.cause : cause
  const detail = escapeControls(describeError(inner))
  const isAborted = signal?.aborted === true
  const type = isAborted ? 'aborted' : isTimeout(cause) ? 'timeout' : 'unreachable'
  return new AcmeError(`cannot ${what}: ${who} cannot be reached: ${detail}`, {
    type,
    detail,
    cause,
  })
}

function isTimeout(cause: unknown): boolean {
  return causesOf(cause).some(({ name }) => name === 'TimeoutError')
}

/** No connection was made, so the CA has seen nothing of the request. */
function neverArrived(cause: unknown): boolean {
  return causesOf(cause).some((error) => 'code' in error && NO_CONNECTION.has(String(error.code)))
}

const NO_CONNECTION: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
])

function causesOf(cause: unknown): readonly Error[] {
  const found: Error[] = []
  for (let one = cause; one instanceof Error && found.length < 5; one = one.cause) found.push(one)
  return found
}
