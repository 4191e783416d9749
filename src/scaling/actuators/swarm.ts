/**
 * A service of a Docker Swarm. Its number of replicas is part of its specification, which is written as a whole with the version that
 * was read (`POST /services/ID/update?version=N`): if another client has changed the service in between, the manager refuses it
 * ("update out of sequence"), and it is read again.
 */
import { setTimeout as passed } from 'node:timers/promises'
import type { SwarmActuatorSpec } from '../../model/actuator-spec.ts'
import { isMap, quote, type JsonMap } from '../../model/parsed.ts'
import type { EngineClient } from '../../providers/docker/engine-client.ts'
import { HttpFailure } from '../../providers/http-client/failure.ts'
import { notManager } from '../../providers/swarm/manager.ts'
import type { Actuator, ActuatorContext } from '../actuator.ts'
import { openEngine } from './engine.ts'
import { withReasons } from './failure.ts'

const MAX_TRIES = 10
const PAUSE_MS = 50
const TIMEOUT_MS = 10_000

interface Service {
  readonly id: string
  readonly version: number
  readonly replicas: number
  readonly spec: JsonMap
}

export function openSwarm(
  { service: name, source }: SwarmActuatorSpec,
  { sources }: Pick<ActuatorContext, 'sources'>,
): Actuator {
  const engine = openEngine('swarm', source, sources)
  const what = `the service ${quote(name)} of the swarm at ${engine.where}`

  async function read(client: EngineClient, signal: AbortSignal): Promise<Service> {
    const found = await client.get(`/services/${encodeURIComponent(name)}`, signal)
    const { ID: id, Version: version, Spec: spec } = isMap(found) ? found : {}
    const { Name: itsName, Mode: mode } = isMap(spec) ? spec : {}
    // The engine also takes the beginning of an id for a name.
    if (found === null || (itsName !== name && id !== name)) {
      throw new Error('there is no such service; docker service ls shows their names')
    }
    const index = isMap(version) ? version['Index'] : undefined
    if (typeof id !== 'string' || !isIndex(index) || !isMap(spec) || !isMap(mode)) {
      throw new Error('the manager describes it without ID, Version or Spec')
    }
    const replicated = mode['Replicated']
    if (replicated === undefined || replicated === null) {
      throw new Error('it is not replicated but global or a job, which has no number of replicas')
    }
    // Missing: one (Docker Engine API, ServiceSpec.Mode).
    const replicas = (isMap(replicated) ? replicated['Replicas'] : undefined) ?? 1
    if (!isIndex(replicas)) throw new Error('the manager describes it without a number of replicas')
    return { id, version: index, replicas, spec }
  }

  async function write(
    client: EngineClient,
    { id, version, spec }: Service,
    replicas: number,
    signal: AbortSignal,
  ): Promise<void> {
    // JSON.parse rounds what is beyond 2^53, and the specification is written as it was read.
    const lost = findRounded(spec)
    if (lost !== null) throw new Error(`its ${lost} is a number that would be rounded`)
    const body = { ...spec, Mode: { Replicated: { Replicas: replicas } } }
    const path = `/services/${encodeURIComponent(id)}/update?version=${version}`
    await client.post(path, { signal, body, timeoutMs: TIMEOUT_MS })
  }

  async function set(client: EngineClient, replicas: number, signal: AbortSignal): Promise<void> {
    for (let tries = 1; ; tries++) {
      const service = await read(client, signal)
      if (service.replicas === replicas) return
      try {
        return await write(client, service, replicas, signal)
      } catch (error) {
        if (!isOutOfSequence(error)) throw error
        if (tries === MAX_TRIES) {
          throw new Error(`another client changed it each of ${MAX_TRIES} times`, { cause: error })
        }
      }
      await passed(PAUSE_MS * tries, undefined, { signal })
    }
  }

  return withReasons(
    what,
    {
      setReplicas: (replicas, signal) =>
        engine.use(signal, (client) => set(client, replicas, signal)),
      observed: async (signal) =>
        (await engine.use(signal, (client) => read(client, signal))).replicas,
      close() {
        engine.close()
        return Promise.resolve()
      },
    },
    { causeOf: (error) => notManager(error, engine.where) },
  )
}

/** 500 with this text of older engines; newer ones have another status. */
function isOutOfSequence(error: unknown): boolean {
  return error instanceof HttpFailure && error.message.includes('update out of sequence')
}

function isIndex(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

/** Where: `TaskTemplate.Resources.Limits.MemoryBytes`; null: nothing is rounded. */
function findRounded(value: unknown): string | null {
  if (typeof value === 'number') return Math.abs(value) > Number.MAX_SAFE_INTEGER ? '' : null
  if (typeof value !== 'object' || value === null) return null
  for (const [key, member] of Object.entries(value)) {
    const found = findRounded(member)
    if (found !== null) return found === '' ? key : `${key}.${found}`
  }
  return null
}
