/** The state of an agent, as JSON and as metrics in Prometheus' text format. */
import type { Sample } from '../observe/metrics/samples.ts'
import { promClient, registerFamily, type PrintedFamily } from '../observe/metrics/text-format.ts'
import type { AgentReport } from './agent.ts'
import type { Registration } from './registrar/registrar.ts'
import type { ServiceReport } from './watch/service-watcher.ts'

export interface StatusReport extends AgentReport {
  /** Registered, or to be. */
  readonly containers: readonly Registration[]
}

/** Each service that passes is registered, and each check has run. */
export function isReady({ services }: AgentReport): boolean {
  return services.every(
    (service) => service.state === 'down' || (service.state === 'up' && isRegistered(service)),
  )
}

export async function metricsText(report: StatusReport): Promise<string> {
  const { Registry } = await promClient.load()
  const registry = new Registry()
  for (const family of FAMILIES) {
    registerFamily(registry, family, () => Promise.resolve(family.samples(report)))
  }
  return registry.metrics()
}

interface AgentFamily extends PrintedFamily {
  readonly samples: (report: StatusReport) => readonly Sample[]
}

const FAMILIES: readonly AgentFamily[] = [
  ofServices(
    'sluice_agent_service_up',
    'gauge',
    'Whether all checks of the service pass.',
    ({ state }) => Number(state === 'up'),
  ),
  ofServices(
    'sluice_agent_service_registered',
    'gauge',
    'Whether the service is in its registry.',
    (service) => Number(isRegistered(service)),
  ),
  ofServices(
    'sluice_agent_service_transitions_total',
    'counter',
    'Registrations and removals, since the configuration of the service was read.',
    ({ transitions }) => transitions,
  ),
  ofServices(
    'sluice_agent_service_limited_total',
    'counter',
    'Registrations and removals that the limit delayed, or with shadow would have.',
    ({ limited }) => limited,
  ),
  {
    name: 'sluice_agent_check_up',
    type: 'gauge',
    help: 'Whether the check passes.',
    samples: ({ services }) =>
      services.flatMap(({ name: service, checks }) =>
        checks.map(({ name: check, state }) => ({
          labels: { service, check },
          value: Number(state === 'up'),
        })),
      ),
  },
  {
    name: 'sluice_agent_containers',
    type: 'gauge',
    help: 'Containers that are registered, or to be.',
    samples: ({ containers }) => [{ value: containers.length }],
  },
  {
    name: 'sluice_agent_registry_up',
    type: 'gauge',
    help: 'Whether the registry is connected.',
    // While a new configuration takes effect, there may be two of one name.
    samples: ({ registries }) =>
      Array.from(
        Map.groupBy(registries, ({ name }) => name),
        ([registry, ofName]) => ({
          labels: { registry },
          value: Number(ofName.every(({ link }) => link?.status === 'up')),
        }),
      ),
  },
]

function ofServices(
  name: string,
  type: 'gauge' | 'counter',
  help: string,
  valueOf: (service: ServiceReport) => number,
): AgentFamily {
  const toSample = (service: ServiceReport): Sample => ({
    labels: { service: service.name },
    value: valueOf(service),
  })
  return { name, type, help, samples: ({ services }) => services.map(toSample) }
}

function isRegistered({ registration }: ServiceReport): boolean {
  return registration?.status === 'registered'
}
