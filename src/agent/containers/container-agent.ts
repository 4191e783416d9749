/** Registers the containers of an engine, as long as they serve: what registrator does. */
import { messageOf } from '../../model/error-message.ts'
import type { Log } from '../../observe/log.ts'
import { findOwnContainer } from '../../providers/docker/own-container.ts'
import type { Registrar, RegistrarListener, Registration } from '../registrar/registrar.ts'
import { toServices, type ServiceRules } from './container-services.ts'
import { followEngine } from './follow-engine.ts'
import { findHostAddress } from './host-address.ts'
import { endpointHostOf, type ContainersSpec } from './options.ts'
import type { ServiceContainer } from './read-container.ts'

export interface ContainerAgentOptions {
  readonly spec: ContainersSpec
  readonly openRegistrar: (listener: RegistrarListener) => Promise<Registrar>
  readonly log: Log
}

export interface ContainerAgent {
  /** What is registered now, or is to be. */
  registrations(): readonly Registration[]
  /** Removes all. Rejects with RegistrarFailure if the registry does not confirm that in time, by default as `close` of it. */
  stop(withinMs?: number): Promise<void>
}

export async function startContainerAgent(options: ContainerAgentOptions): Promise<ContainerAgent> {
  const { spec, openRegistrar, log } = options
  const rules = await rulesOf(spec)
  const ending = new AbortController()
  const wanted = new Map<string, Registration>()
  let problems: ReadonlySet<string> = new Set()
  const registrar = await openRegistrar({
    onRegistration({ service, id }, state) {
      const fields = { service, id, registry: registrar.place }
      if (state.status === 'registered') log.info(fields, 'a container is registered')
      else if (state.status === 'missing') {
        const level = state.isRefused ? 'error' : 'warn'
        log[level](
          { ...fields, reason: state.reason },
          'the registration of a container is missing',
        )
      } else log.error({ ...fields, reason: state.reason }, 'the registration is replaced')
    },
    onLink(state) {
      if (state.status === 'up') log.info({ registry: registrar.place }, 'the registry is reached')
      else {
        log.warn({ registry: registrar.place }, `the registry is not reached: ${state.reason}`)
      }
    },
  })

  function take(containers: readonly ServiceContainer[]): void {
    const found = toServices(containers, rules)
    const now = new Set<string>()
    const refused: string[] = []
    for (const full of found.registrations) {
      const registration = fitting(full)
      if (typeof registration === 'string') {
        refused.push(`${full.service}/${full.id}: ${registration}`)
        continue
      }
      const name = nameOf(registration)
      now.add(name)
      wanted.set(name, registration)
      registrar.put(registration)
    }
    for (const [name, registration] of wanted) if (!now.has(name)) drop(name, registration)
    tellProblems([...found.problems, ...refused])
  }

  /** Without what the layout has no place for. A text: why it cannot be registered. */
  function fitting(full: Registration): Registration | string {
    if (registrar.refuse(full) === null) return full
    const plain = { ...full, labels: {}, tags: [] }
    return registrar.refuse(plain) ?? plain
  }

  function drop(name: string, registration: Registration): void {
    wanted.delete(name)
    const { service, id } = registration
    log.info({ service, id, registry: registrar.place }, 'a container is not registered any more')
    registrar.remove(registration).catch((error: unknown) => {
      const reason = messageOf(error)
      log.warn({ service, id, reason }, 'the registry has not confirmed the removal')
    })
  }

  /** Each once, as long as it lasts. */
  function tellProblems(found: readonly string[]): void {
    for (const problem of found) {
      if (!problems.has(problem)) log.warn({}, `a container cannot be registered: ${problem}`)
    }
    problems = new Set(found)
  }

  const following = followEngine(
    spec,
    {
      onContainers: take,
      onEngine(error) {
        const engine = spec.endpoint.text
        if (error === null) log.info({ engine }, 'the containers of the engine are followed')
        else log.warn({ engine }, `the engine is not reached: ${error.message}`)
      },
    },
    ending.signal,
  )

  return {
    registrations: () => [...wanted.values()],
    async stop(withinMs) {
      ending.abort()
      await following
      wanted.clear()
      await registrar.close(withinMs)
    },
  }
}

async function rulesOf(spec: ContainersSpec): Promise<ServiceRules> {
  const { hostname, internal, network, hostAddress } = spec
  const endpointHost = endpointHostOf(spec)
  return {
    hostname,
    ownId: findOwnContainer(),
    addresses: {
      ...{ network, publishedPorts: !internal, endpointHost },
      // With neither, 127.0.0.1 is all that there is.
      hostAddress: hostAddress ?? endpointHost ?? (await findHostAddress()),
    },
  }
}

function nameOf({ service, id }: Registration): string {
  return `${service}/${id}`
}
