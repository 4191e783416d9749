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

/** What a manager says at one time. A service, and a list of tasks, that has not changed is the same object. */
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
  /** Increases with every change of nodes, gateways and own networks. */
  readonly placesVersion: number
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
  /** All of its ports accept connections. */
  readonly isOpen: boolean
}

/** The instances of a service, by id of the service or task. */
interface Group {
  readonly service: SwarmService
  readonly tasks: readonly SwarmTask[]
  readonly placesVersion: number
  readonly known: ReadonlyMap<string, Known>
  /** All of its ports accept connections, which ends what is to be known of them. */
  readonly isSettled: boolean
}

export interface InstancesOptions {
  /** The name of the source, for the actuator of its services. */
  readonly source: string
  readonly labels: LabelRules
  readonly addresses: AddressRules
  readonly ports: PortWatch
}

export function createInstances({ source, labels, addresses, ports }: InstancesOptions): Instances {
  /** By id of the service. */
  let groups: ReadonlyMap<string, Group> = new Map()
  /** Finds out which ports labels choose: it asks for the address of each. */
  const scout = createLabelReader({ ...labels, kind: 'swarm' })

  function instanceOfTask(
    service: SwarmService,
    task: SwarmTask,
    places: Places,
    before: Known | undefined,
  ): Known {
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
    const isSame = before?.basis.every((one, index) => one === basis[index]) === true
    const targets = isSame ? before.targets : targetsOf(service, task, places)
    ports.watch(task.id, targets)
    const all = targets.map(({ host, port }) => ports.look(task.id, host, port))
    const isServing = all.length === 0 || all.some((look) => look === 'open' || look.isLate)
    const looks = JSON.stringify([isServing, isServing ? all : []])
    if (isSame && before.looks === looks) return before
    const item: Labelled = {
      ...describe(service, task, source),
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
    const isOpen = all.every((look) => look === 'open')
    return { basis, targets, looks, item, isOpen }
  }

  /**
   * The tasks that served last, while those that come in their place do not accept connections yet (an update with the order
   * start-first, without a health check): Swarm leaves them a second or more before it stops them.
   */
  function lastServing(
    own: readonly Known[],
    before: ReadonlyMap<string, Known>,
  ): readonly [string, Known][] {
    if (own.length === 0 || own.some(({ item }) => item.isServing)) return []
    return [...before].filter(([, { item }]) => item.isServing)
  }

  function groupOf(service: SwarmService, view: SwarmView, before: Group | undefined): Group {
    const { nodes, gateways, ownNetworks, placesVersion } = view
    const tasks = view.tasks.get(service.id) ?? NO_TASKS
    const isSameService = before?.service === service
    const isSame = isSameService && before.tasks === tasks && before.placesVersion === placesVersion
    if (isSame && before.isSettled) return before
    const known = new Map<string, Known>()
    const whole = isSameService ? before.known.get(service.id) : undefined
    known.set(service.id, whole ?? instanceOfService(service, source))
    const own: Known[] = []
    // The service alone says what there is to say of it.
    const isRead = exposureOf(describe(service, null, source), labels).isExposed
    for (const task of isRead ? tasks.filter(isServing) : []) {
      const node = nodes.get(task.nodeId) ?? null
      const gateway = gateways.get(task.containerId ?? '') ?? null
      const places = { node, gateway, ownNetworks }
      const one = instanceOfTask(service, task, places, before?.known.get(task.id))
      own.push(one)
      known.set(task.id, one)
    }
    const isSettled = own.every(({ isOpen }) => isOpen)
    for (const [id, one] of lastServing(own, before?.known ?? known)) known.set(id, one)
    for (const id of before?.known.keys() ?? []) if (!known.has(id)) ports.forget(id)
    return { service, tasks, placesVersion, known, isSettled }
  }

  function targetsOf(
    service: SwarmService,
    task: SwarmTask,
    places: Places,
  ): readonly WatchedAddress[] {
    const found = new Map<string, WatchedAddress>()
    const isPublished = addresses.address === 'host'
    const item: Labelled = {
      ...describe(service, task, source),
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
    of(view) {
      const now = new Map<string, Group>()
      const items: Labelled[] = []
      for (const service of view.services.values()) {
        const group = groupOf(service, view, groups.get(service.id))
        now.set(service.id, group)
        for (const { item } of group.known.values()) items.push(item)
      }
      for (const [id, { known }] of groups) {
        if (!now.has(id)) for (const task of known.keys()) ports.forget(task)
      }
      groups = now
      return items
    },
  }
}

const NO_TASKS: readonly SwarmTask[] = []

/**
 * A task that is to stop has another desired state before its container gets a signal, so it drains from then on: `shutdown`, or
 * `remove` if its slot goes, too.
 */
function isServing({ state, desiredState }: SwarmTask): boolean {
  return state === 'running' && desiredState === 'running'
}

function instanceOfService(service: SwarmService, source: string): Known {
  const item: Labelled = {
    ...describe(service, null, source),
    address: () => ({ reason: 'is a service, not one of its tasks' }),
    isServing: false,
  }
  return { basis: [], targets: [], looks: '', item, isOpen: true }
}

/** Labels of a task are those of its service, which is where messages have to lead. */
function describe(
  { name, labels, replicas, ports, createdAt }: SwarmService,
  task: SwarmTask | null,
  source: string,
): Omit<Labelled, 'address' | 'isServing'> {
  // As Docker's client names tasks; those of a global service have no slot.
  const id = task === null ? name : `${name}.${task.slot ?? task.id}`
  // The number of tasks of a global service is that of the nodes.
  const actuator = replicas === null ? {} : { actuator: { swarm: { service: name, source } } }
  return { id, key: `service ${name}`, service: name, labels, ports, createdAt, ...actuator }
}
