/** Every kind of actuator, one line each. The clients of a kind are loaded when an actuator of the kind is opened. */
import type { ActuatorSpec } from '../../model/actuator-spec.ts'
import { onDemand } from '../../model/on-demand.ts'
import type { Actuator, ActuatorContext } from '../actuator.ts'

const kinds = {
  swarm: onDemand('the client of Swarm', () => import('./swarm.ts')),
  docker: onDemand('the client of Docker', () => import('./docker.ts')),
  compose: onDemand('what runs compose', () => import('./compose.ts')),
  marathon: onDemand('the client of Marathon', () => import('./marathon.ts')),
  webhook: onDemand('the client of web-hooks', () => import('./webhook.ts')),
  process: onDemand('what runs processes', () => import('./process.ts')),
}

/** Rejects if it cannot be opened: a source that is not declared, a module that cannot be loaded. No other program is asked. */
export async function openActuator(
  spec: ActuatorSpec,
  context: ActuatorContext,
): Promise<Actuator> {
  switch (spec.kind) {
    case 'swarm':
      return (await kinds.swarm.load()).openSwarm(spec, context)
    case 'docker':
      return (await kinds.docker.load()).openDockerPool(spec, context)
    case 'compose':
      return (await kinds.compose.load()).openCompose(spec, context)
    case 'marathon':
      return (await kinds.marathon.load()).openMarathon(spec, context)
    case 'webhook':
      return (await kinds.webhook.load()).openWebHook(spec, context)
    case 'process':
      return (await kinds.process.load()).openProcesses(spec, context)
    default:
      return spec satisfies never
  }
}
