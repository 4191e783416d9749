/**
 * Services and their tasks as instances with labels. The service itself is one, which gets no requests: its routes and its backend
 * exist while no task runs. Each running task is a server of it, as soon as its port accepts a connection. An instance stays the
 * same object while nothing of it has changed, because the reader of labels keeps its translation by identity.
 */
import type { PortWatch, WatchedAddress } from '../docker/port-watch.ts'
import { exposureOf } from '../labels/exposure.ts'
import { createLabelReader } from '../labels/label-reader.ts'
import type { Labelled, LabelRules } from '../labels/labelled.ts'
import { reach, type AddressRules, type Places } from './address.ts'
import type { SwarmNode, SwarmService, SwarmTask } from './api.ts'

/** What a manager says at one time. */
export interface SwarmView {
  /** By id. */
  readonly services: ReadonlyMap<string, SwarmService>
  /** By id of their service. */
  readonly tasks: ReadonlyMap<string, readonly SwarmTask[]>
  /** By id. */
  readonly nodes: ReadonlyMap<string, SwarmNode>
  /** Addresses on docker_gwbridge by id of the container. */
  readonly gateways: ReadonlyMap<string, string>
  /** Ids of the networks that Sluice's own container is in. */
  readonly ownNetworks: ReadonlySet<string>
}

export interface Instances {
  /** With them, ports of new tasks are watched. */
  of(view: SwarmView): readonly Labelled[]
}

interface Known {
  /** All that the instance is made of, except for what is known of its ports. */
  readonly basis: readonly unknown[]
  readonly targets: readonly WatchedAddress[]
  /** What is known of its ports. */
  readonly looks: string
  readonly item: Labelled
}

export interface InstancesOptions {
  readonly labels: LabelRules
  readonly addresses: AddressRules
  readonly ports: PortWatch
}

export function createInstances({ labels, addresses, ports }: InstancesOptions): Instances {
  /** By id of the service or task. */
  let known: ReadonlyMap<string, Known> = new Map()
  /** Finds out which ports labels choose: it asks for the address of each. */
  const scout = createLabelReader({ ...labels, kind: 'swarm' })

  function instanceOfTask(service: SwarmService, task: SwarmTask, places: Places): Known {
    const { version: serviceVersion } = service
    const { node, gateway, ownNetworks } = places
    const basis = [
      serviceVersion,
      task.version,
      node?.address,
      node?.hostname,
      gateway,
      ownNetworks,
    ]
    const before = known.get(task.id)
    const isSame = before?.basis.every((one, index) => one === basis[index]) === true
    const targets = isSame ? before.targets : targetsOf(service, task, places)
    ports.watch(task.id, targets)
    const all = targets.map(({ host, port }) => ports.look(task.id, host, port))
    const isServing = all.length === 0 || all.some((look) => look === 'open' || look.isLate)
    const looks = JSON.stringify([isServing, isServing ? all : []])
    if (isSame && before.looks === looks) return before
    const item: Labelled = {
      ...describe(service, task),
      isServing,
      address(port) {
        const place = reach(service, task, port, addresses, places)
        if ('reason' in place) return place
        const look = ports.look(task.id, place.host, place.port)
        if (look === 'open') return place
        const error = look.error === null ? '' : `: ${look.error}`
        const where = `${place.host} port ${place.port}`
        return { reason: `has not accepted a connection at ${where} since it started${error}` }
      },
    }
    return { basis, targets, looks, item }
  }

  function targetsOf(
    service: SwarmService,
    task: SwarmTask,
    places: Places,
  ): readonly WatchedAddress[] {
    const found = new Map<string, WatchedAddress>()
    const isPublished = addresses.address === 'host'
    const item: Labelled = {
      ...describe(service, task),
      isServing: true,
      address(port) {
        const place = reach(service, task, port, addresses, places)
        if (!('reason' in place))
          found.set(`${place.host} ${place.port}`, { ...place, isPublished })
        return place
      },
    }
    scout.read([item])
    return [...found.values()]
  }

  return {
    of({ services, tasks, nodes, gateways, ownNetworks }) {
      const now = new Map<string, Known>()
      for (const service of services.values()) {
        const before = known.get(service.id)
        const isSame = before?.basis[0] === service.version
        now.set(service.id, isSame ? before : instanceOfService(service))
        // The service alone says what there is to say of it.
        if (!exposureOf(describe(service, null), labels).isExposed) continue
        for (const task of (tasks.get(service.id) ?? []).filter(isServing)) {
          const node = nodes.get(task.nodeId) ?? null
          const gateway = gateways.get(task.containerId ?? '') ?? null
          now.set(task.id, instanceOfTask(service, task, { node, gateway, ownNetworks }))
        }
      }
      for (const id of known.keys()) if (!now.has(id)) ports.forget(id)
      known = now
      return [...now.values()].map(({ item }) => item)
    },
  }
}

/**
 * A task that is to stop has another desired state before its container gets a signal, so it drains from then on: `shutdown`, or
 * `remove` if its slot goes, too.
 */
function isServing({ state, desiredState }: SwarmTask): boolean {
  return state === 'running' && desiredState === 'running'
}

function instanceOfService(service: SwarmService): Known {
  const item: Labelled = {
    ...describe(service, null),
    address: () => ({ reason: 'is a service, not one of its tasks' }),
    isServing: false,
  }
  return { basis: [service.version], targets: [], looks: '', item }
}

/** Labels of a task are those of its service, which is where messages have to lead. */
function describe(
  { name, labels, ports, createdAt }: SwarmService,
  task: SwarmTask | null,
): Omit<Labelled, 'address' | 'isServing'> {
  // As Docker's client names tasks; those of a global service have no slot.
  const id = task === null ? name : `${name}.${task.slot ?? task.id}`
  return { id, key: `service ${name}`, service: name, labels, ports, createdAt }
}
