/**
 * Sends the number of replicas to another program: `POST` with `{ "backend": "vote", "replicas": 5 }`, signed if there is a
 * secret. It may get the same number more than once. Any status but 2xx is a failure; redirects are not followed.
 */
import type { WebHookActuatorSpec } from '../../model/actuator-spec.ts'
import { isMap, quote } from '../../model/parsed.ts'
import { HttpFailure } from '../../providers/http-client/failure.ts'
import { createHttpClient, type HttpClient } from '../../providers/http-client/http-client.ts'
import type { Actuator, ActuatorContext } from '../actuator.ts'
import { withReasons } from './failure.ts'
import { SIGNATURE_HEADER, signatureOf } from './signature.ts'

const TIMEOUT_MS = 10_000
const OBSERVE_TIMEOUT_MS = 4_000
const MAX_BYTES = 64 << 10

type Context = Pick<ActuatorContext, 'backend' | 'ready'>

export function openWebHook(
  { url, secret, headers, observeUrl }: WebHookActuatorSpec,
  { backend, ready }: Context,
  now: () => number = Date.now,
  timeoutMs: number = TIMEOUT_MS,
): Actuator {
  const hook = createPlace(url, headers)
  const observed = observeUrl === null ? null : createPlace(observeUrl, headers)

  function signed(body: string): Record<string, string> {
    return secret === null ? {} : { [SIGNATURE_HEADER]: signatureOf(body, secret, now()) }
  }

  async function tell(replicas: number, signal: AbortSignal): Promise<void> {
    const body = JSON.stringify({ backend, replicas })
    const { status } = await hook.client.text(hook.path, {
      ...{ method: 'POST', body, signal, timeoutMs, maxBytes: MAX_BYTES, accept: 'all' },
      headers: { 'content-type': 'application/json', ...signed(body) },
    })
    if (status < 200 || status > 299) throw new Error(`it responds with ${status}`)
  }

  async function read({ client, path }: Place, signal: AbortSignal): Promise<number> {
    const call = {
      signal,
      timeoutMs: OBSERVE_TIMEOUT_MS,
      maxBytes: MAX_BYTES,
      accept: 'all',
    } as const
    // What is signed is the empty body.
    const { status, body } = await client.text(path, { ...call, headers: signed('') })
    if (status !== 200) throw new Error(`it responds with ${status}`)
    return parseReplicas(body)
  }

  const by = (host: string): string => `backend ${quote(backend)} by the web-hook at ${host}`
  return withReasons(
    by(hook.host),
    {
      setReplicas: tell,
      observed: (signal) => (observed === null ? Promise.resolve(ready()) : read(observed, signal)),
      close() {
        hook.client.close()
        observed?.client.close()
        return Promise.resolve()
      },
    },
    { read: by((observed ?? hook).host), causeOf: bare },
  )
}

interface Place {
  readonly client: HttpClient
  readonly host: string
  readonly path: string
}

function createPlace(url: string, headers: Readonly<Record<string, string>>): Place {
  const { origin, host, pathname, search, protocol } = new URL(url)
  const tls =
    protocol === 'https:'
      ? { ca: null, cert: null, key: null, serverName: null, verify: true }
      : null
  const client = createHttpClient({ what: 'the web-hook', origin, tls, headers, connections: 4 })
  return { client, host, path: pathname + search }
}

/** A number, or a map with `replicas`. */
function parseReplicas(text: string): number {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new Error('the response is not JSON', { cause })
  }
  const replicas = isMap(value) ? value['replicas'] : value
  if (typeof replicas === 'number' && Number.isSafeInteger(replicas) && replicas >= 0)
    return replicas
  throw new Error('the response is neither a whole number nor { "replicas": NUMBER }')
}

/** Without the path, which the client's message has: paths and queries are often secrets, so messages name the host alone. */
function bare(error: unknown): unknown {
  return error instanceof HttpFailure && error.cause !== undefined ? error.cause : error
}
