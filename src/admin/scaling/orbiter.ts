/**
 * The API of orbiter, an autoscaler of Docker Swarm: a monitoring system calls a URL, and the service gets more replicas, or
 * fewer. The name of the autoscaler may be anything; the service is a backend, or what its actuator runs.
 */
import { quote } from '../../model/parsed.ts'
import {
  type Answer,
  type Call,
  type Endpoint,
  json,
  jsonOf,
  reading,
  Refused,
} from '../endpoint.ts'
import { flag, listOf, map, text } from '../openapi/schema.ts'
import {
  ask,
  ASKED,
  backendOf,
  reasonOf,
  readMap,
  SCALE_ANSWERS,
  type ScalerView,
  serviceOf,
  specOf,
} from './scaler-view.ts'

const HANDLE = '/v1/orbiter/handle/{autoscaler}/{service}'
const MAX_BODY_BYTES = 64 * 1024

export function orbiterEndpoints(scaler: ScalerView): readonly Endpoint[] {
  const handling = {
    method: 'POST' as const,
    needs: 'write' as const,
    query: {},
    answers: { 200: 'it is asked for', ...SCALE_ANSWERS },
    gives: jsonOf(ASKED),
  }
  return [
    {
      ...handling,
      path: `${HANDLE}/{direction}`,
      summary: 'as orbiter: up or down by inputs.orbiter of the backend',
      body: null,
      run: (call) => step(scaler, call, call.parameters['direction'] ?? ''),
    },
    {
      ...handling,
      path: HANDLE,
      summary: 'as orbiter: up (true) or down by inputs.orbiter of the backend',
      body: {
        types: ['application/json'],
        description: 'the direction',
        maxBytes: MAX_BODY_BYTES,
        schema: map({ direction: flag }),
      },
      run(call) {
        const { direction } = readMap(call)
        if (typeof direction !== 'boolean')
          throw new Refused(400, 'direction must be true or false')
        return step(scaler, call, direction ? 'up' : 'down')
      },
    },
    reading(
      '/v1/orbiter/autoscaler',
      'as orbiter: the services that it scales',
      () => json(200, { data: namesOf(scaler).map((name) => ({ name })) }),
      { gives: jsonOf(map({ data: listOf(map({ name: text })) })) },
    ),
  ]
}

function namesOf(scaler: ScalerView): readonly string[] {
  return scaler.backends().flatMap((backend) => {
    const spec = scaler.specOf(backend)
    if (spec === null || spec.inputs.orbiter === null) return []
    const autoscaler = spec.actuator.kind === 'swarm' ? 'autoswarm' : 'sluice'
    return [`${autoscaler}/${serviceOf(spec) ?? backend}`]
  })
}

function step(scaler: ScalerView, call: Call, direction: string): Answer {
  if (direction !== 'up' && direction !== 'down') {
    throw new Refused(404, `the direction is up or down, not ${quote(direction)}`)
  }
  const { service = '', autoscaler = '' } = call.parameters
  const backend = backendOf(scaler, service)
  const steps = specOf(scaler, backend).inputs.orbiter
  if (steps === null) {
    throw new Refused(
      404,
      `backend "${backend}" takes no calls of orbiter: set scale.inputs.orbiter`,
    )
  }
  const asked = ask(scaler, {
    backend,
    to: { delta: direction === 'up' ? steps.up : -steps.down },
    input: 'orbiter',
    reason: reasonOf(call.caller.name, `${autoscaler}/${service} ${direction}`),
    forMs: null,
  })
  call.audit({ ...asked }, `asked for ${asked.replicas} replicas of backend "${backend}"`)
  return json(200, asked)
}
