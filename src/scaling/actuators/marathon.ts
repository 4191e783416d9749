/**
 * An app of Marathon: `PUT /v2/apps/ID` with the number of instances. While a deployment of the app runs, Marathon refuses another one
 * with 409; it is tried again for a while, because to force it would cancel the deployment of another client.
 */
import { setTimeout as passed } from 'node:timers/promises'
import type { MarathonActuatorSpec } from '../../model/actuator-spec.ts'
import { isMap, quote } from '../../model/parsed.ts'
import type { HttpCall } from '../../providers/http-client/http-client.ts'
import type { MarathonSource } from '../../providers/marathon/marathon-provider.ts'
import {
  createCluster,
  REDIRECTS,
  type Response,
  type Session,
} from '../../providers/marathon/session.ts'
import type { Actuator, ActuatorContext } from '../actuator.ts'
import { withReasons } from './failure.ts'
import { findSource } from './named-source.ts'

/** Of one request. */
const TIMEOUT_MS = 4_000
const LOCKED_MS = 15_000
const PAUSE_MS = 500
/** An app with its tasks. */
const MAX_BYTES = 8 << 20

type Call = Pick<HttpCall, 'method' | 'body'> & { readonly accept?: readonly number[] }

export interface MarathonTimes {
  /** How long a deployment of the app is waited for. */
  readonly lockedMs: number
  readonly pauseMs: number
}

const TIMES: MarathonTimes = { lockedMs: LOCKED_MS, pauseMs: PAUSE_MS }

export function openMarathon(
  { app, source }: MarathonActuatorSpec,
  { sources }: Pick<ActuatorContext, 'sources'>,
  { lockedMs, pauseMs }: MarathonTimes = TIMES,
): Actuator {
  // The kind of a spec says which options it has.
  const found = findSource('marathon', source, sources) as MarathonSource | null
  if (found === null) {
    throw new Error('there is no source of kind marathon, whose endpoints and login it would use')
  }
  const cluster = createCluster(found)
  const what = `the app ${quote(app)} of the Marathon at ${found.endpoints.join(', ')}`
  const path = `/v2/apps/${app.split('/').filter(Boolean).map(encodeURIComponent).join('/')}`
  let session: Session | null = null

  /** By the Marathon that responded last; after a failure by any other one. */
  async function call(
    { accept = [200], ...more }: Call,
    signal: AbortSignal,
  ): Promise<Response<unknown>> {
    const send: Parameters<Session['send']>[0] = (client, base) =>
      client.json(base + path, {
        ...more,
        ...(more.body === undefined ? {} : { headers: { 'content-type': 'application/json' } }),
        ...{ signal, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES },
        accept: [...accept, 404, ...REDIRECTS],
      })
    const response = await useSession(send)
    if (response.status === 404) throw new Error('there is no such app')
    return response
  }

  async function useSession(
    send: (...of: Parameters<Parameters<Session['send']>[0]>) => Promise<Response<unknown>>,
  ): Promise<Response<unknown>> {
    if (session === null) {
      const [opened, response] = await cluster.open(send)
      session = opened
      return response
    }
    try {
      return await session.send(send)
    } catch (error) {
      session.close()
      session = null
      throw error
    }
  }

  async function read(signal: AbortSignal): Promise<number> {
    const { body } = await call({}, signal)
    const { app: it } = isMap(body) ? body : {}
    const instances = isMap(it) ? it['instances'] : undefined
    if (typeof instances !== 'number' || !Number.isSafeInteger(instances) || instances < 0) {
      throw new Error('the response has no number of instances')
    }
    return instances
  }

  async function set(replicas: number, signal: AbortSignal): Promise<void> {
    if ((await read(signal)) === replicas) return
    const body = JSON.stringify({ instances: replicas })
    const until = performance.now() + lockedMs
    for (;;) {
      const { status } = await call({ method: 'PUT', body, accept: [200, 201, 409] }, signal)
      if (status !== 409) return
      if (performance.now() >= until) {
        throw new Error(`a deployment has locked it for more than ${lockedMs / 1000} s`)
      }
      await passed(pauseMs, undefined, { signal })
    }
  }

  return withReasons(what, {
    setReplicas: set,
    observed: read,
    close() {
      session?.close()
      session = null
      return Promise.resolve()
    },
  })
}
