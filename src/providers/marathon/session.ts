/**
 * Requests to a cluster of Marathons. Each endpoint is tried in turn. A standby passes requests on to the leader or redirects to
 * it: only to an endpoint of the source, or with no credentials to lose.
 */
import { errorOf } from '../../model/error-message.ts'
import type { IncomingHttpHeaders } from 'node:http'
import { quote } from '../../model/parsed.ts'
import { createHttpClient, type HttpClient } from '../http-client/http-client.ts'
import { HttpFailure } from '../http-client/failure.ts'
import { SourceRefused } from '../provider.ts'
import type { RegistryTls } from '../registry/tls.ts'

export interface ClusterOptions {
  /** `host:port`, at least one. */
  readonly endpoints: readonly string[]
  /** Null: no TLS. */
  readonly tls: RegistryTls | null
  /** Before every path of the API; '' or `/service/marathon`. */
  readonly path: string
  /** The value of Authorization. */
  readonly authorization: string | null
}

/** Statuses of a redirect. */
export const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308]

export interface Response<Body> {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Body
}

/** One request; REDIRECTS must be among the statuses that it accepts. */
type Send<Body> = (client: HttpClient, base: string) => Promise<Response<Body>>

export interface Session {
  /** Of the Marathon that responded last. */
  readonly origin: string
  /** Sends to the Marathon that responded last, or where it redirects to. */
  send<Body>(send: Send<Body>): Promise<Response<Body>>
  close(): void
}

export interface Cluster {
  /** With the response to `send` of the first endpoint that does not fail. Throws what the last one failed with. */
  open<Body>(send: Send<Body>): Promise<[Session, Response<Body>]>
}

export function createCluster({ endpoints, tls, path, authorization }: ClusterOptions): Cluster {
  const scheme = tls === null ? 'http' : 'https'
  const origins = endpoints.map((endpoint) => `${scheme}://${endpoint}`)
  /** Each session begins with another endpoint: that of the session before was lost. */
  let next = 0

  function createSession(first: string): Session {
    const clients = new Map<string, HttpClient>()
    let current = clientOf(first)

    function clientOf(origin: string): HttpClient {
      const known = clients.get(origin)
      if (known !== undefined) return known
      const headers: Record<string, string> = authorization === null ? {} : { authorization }
      const client = createHttpClient({ what: 'Marathon', origin, tls, headers })
      clients.set(origin, client)
      return client
    }

    return {
      get origin() {
        return current.origin
      },
      async send(send) {
        const response = await send(current, path)
        if (!REDIRECTS.includes(response.status)) return response
        discard(response.body)
        current = clientOf(targetOf(response.headers, current.origin))
        const redirected = await send(current, path)
        if (!REDIRECTS.includes(redirected.status)) return redirected
        discard(redirected.body)
        throw new HttpFailure(
          `Marathon at ${current.origin} redirects again: it has no leader yet`,
          redirected.status,
        )
      },
      close() {
        for (const client of clients.values()) client.close()
      },
    }
  }

  function targetOf({ location = '' }: IncomingHttpHeaders, from: string): string {
    const url = URL.parse(location, from)
    if (url === null) throw new Error(`Marathon at ${from} redirects to ${quote(location)}`)
    const { origin, protocol } = url
    const isListed = origins.some((one) => new URL(one).origin === origin)
    if (isListed || (protocol === `${scheme}:` && authorization === null && tls?.cert == null)) {
      return origin
    }
    throw new SourceRefused(
      `Marathon at ${from} redirects to ${quote(origin)}, which is not among the endpoints of the source, so it gets no credentials: add it there`,
    )
  }

  return {
    async open(send) {
      const failures: Error[] = []
      for (let tried = 0; tried < origins.length; tried++) {
        const session = createSession(origins[next] ?? '')
        next = (next + 1) % origins.length
        try {
          const response = await session.send(send)
          return [session, response]
        } catch (error) {
          session.close()
          failures.push(errorOf(error))
        }
      }
      throw failures.find((one) => one instanceof SourceRefused) ?? failures.at(-1) ?? new Error()
    },
  }
}

/** A stream that is not read would stay open. */
function discard(body: unknown): void {
  if (typeof body !== 'object' || body === null || !(Symbol.asyncIterator in body)) return
  const chunks = (body as AsyncIterable<unknown>)[Symbol.asyncIterator]()
  // Only what has begun can be ended: the first chunk, or the error, comes first.
  void chunks.next().then(
    () => chunks.return?.(),
    () => undefined,
  )
}
