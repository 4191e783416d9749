/** From what is configured to a check that can be run. */
import type { LookupFunction } from 'node:net'
import type { Probe } from '../../health/probe.ts'
import type { CheckSpec, ServiceSpec } from '../spec/agent-spec.ts'
import type { Check } from './check.ts'
import { createExecCheck } from './exec-check.ts'
import { createProbeCheck } from './probe-check.ts'
import { createRabbitmqCheck } from './rabbitmq-check.ts'
import { createRedisCheck } from './redis-check.ts'

export interface CheckTools {
  readonly probe: Probe
  readonly lookup: LookupFunction
}

export function createCheck(
  { how }: CheckSpec,
  { name, registration }: ServiceSpec,
  { probe, lookup }: CheckTools,
): Check {
  switch (how.kind) {
    case 'probe':
      return createProbeCheck(probe, how.target)
    case 'redis':
      return createRedisCheck(how)
    case 'rabbitmq':
      return createRabbitmqCheck(how, lookup)
    case 'exec':
      return createExecCheck(how, {
        SLUICE_SERVICE: name,
        SLUICE_HOST: registration.host,
        SLUICE_PORT: String(registration.port),
      })
    case 'noop':
      return async () => null
    default:
      return how satisfies never
  }
}
