/** The state of an agent, as JSON and as metrics in Prometheus' text format. */
import type { AgentReport } from './agent.ts'
import type { Registration } from './registrar/registrar.ts'

export interface StatusReport extends AgentReport {
  /** Registered, or to be. */
  readonly containers: readonly Registration[]
}

/** Each service that passes is registered, and each check has run. */
export function isReady({ services }: AgentReport): boolean {
  return services.every(
    ({ state, registration }) =>
      state === 'down' || (state === 'up' && registration?.is === 'registered'),
  )
}

export function metricsText({ services, registries, containers }: StatusReport): string {
  const family = (
    name: string,
    type: 'gauge' | 'counter',
    help: string,
    samples: readonly (readonly [Readonly<Record<string, string>>, number | boolean])[],
  ): string => {
    const lines = samples.map(
      ([labels, value]) => `${name}${labelsText(labels)} ${Number(value)}\n`,
    )
    return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`
  }
  return [
    family(
      'sluice_agent_service_up',
      'gauge',
      'Whether all checks of the service pass.',
      services.map(({ name: service, state }) => [{ service }, state === 'up']),
    ),
    family(
      'sluice_agent_service_registered',
      'gauge',
      'Whether the service is in its registry.',
      services.map(({ name: service, registration }) => [
        { service },
        registration?.is === 'registered',
      ]),
    ),
    family(
      'sluice_agent_service_transitions_total',
      'counter',
      'Registrations and removals, since the configuration of the service was read.',
      services.map(({ name: service, transitions }) => [{ service }, transitions]),
    ),
    family(
      'sluice_agent_service_limited_total',
      'counter',
      'Registrations and removals that the limit delayed, or with shadow would have.',
      services.map(({ name: service, limited }) => [{ service }, limited]),
    ),
    family(
      'sluice_agent_check_up',
      'gauge',
      'Whether the check passes.',
      services.flatMap(({ name: service, checks }) =>
        checks.map(({ name: check, state }) => [{ service, check }, state === 'up'] as const),
      ),
    ),
    family('sluice_agent_containers', 'gauge', 'Containers that are registered, or to be.', [
      [{}, containers.length],
    ]),
    family(
      'sluice_agent_registry_up',
      'gauge',
      'Whether the registry is connected.',
      registries.map(({ name: registry, link }) => [{ registry }, link?.is === 'up']),
    ),
  ].join('')
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) =>
      `${name}="${value.replace(/[\\"\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`))}"`,
  )
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}
