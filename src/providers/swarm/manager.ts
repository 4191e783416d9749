/** Reads services, tasks and nodes from a manager: all of them, or those of some services, into one view. */
import { HttpFailure } from '../http-client/failure.ts'
import type { EngineClient } from '../docker/engine-client.ts'
import {
  parseContainerNetworks,
  parseNetworkContainers,
  parseNodes,
  parseServices,
  parseTasks,
  type SwarmNode,
  type SwarmService,
  type SwarmTask,
} from './api.ts'
import type { SwarmView } from './instances.ts'

export interface Manager {
  readonly view: SwarmView
  readAll(signal: AbortSignal): Promise<void>
  /** Those that do not exist any more leave the view. */
  readSome(ids: readonly string[], signal: AbortSignal): Promise<void>
}

/** Others are kept for the history of a service, or on their way out. */
const RUNNING = { 'desired-state': ['running'] }
const GATEWAY_BRIDGE = '/networks/docker_gwbridge'

export interface ManagerOptions {
  /** Addresses on docker_gwbridge are needed. */
  readonly gateways: boolean
  /** The id of Sluice's own container, whose networks are needed; null: they are not. */
  readonly ownId: string | null
}

export function createManager(client: EngineClient, options: ManagerOptions): Manager {
  const services = new Map<string, SwarmService>()
  const tasks = new Map<string, readonly SwarmTask[]>()
  const nodes = new Map<string, SwarmNode>()
  const gateways = new Map<string, string>()
  let ownNetworks: ReadonlySet<string> = new Set()
  let placesVersion = 0
  /** Of the places as they were read last. */
  let placesText = ''

  async function list(
    path: string,
    signal: AbortSignal,
    filters?: Readonly<Record<string, readonly string[]>>,
  ): Promise<readonly unknown[]> {
    try {
      return await client.list(path, signal, filters)
    } catch (error) {
      throw notManager(error, client.where)
    }
  }

  async function readGateways(signal: AbortSignal): Promise<void> {
    if (!options.gateways) return
    const bridge = await client.get(GATEWAY_BRIDGE, signal)
    replace(gateways, parseNetworkContainers(bridge))
  }

  async function readOwnNetworks(signal: AbortSignal): Promise<void> {
    if (options.ownId === null) return
    const found = parseContainerNetworks(await client.inspect(options.ownId, signal))
    ownNetworks = found
  }

  async function readAll(signal: AbortSignal): Promise<void> {
    const [foundNodes, foundServices, foundTasks] = await Promise.all([
      list('/nodes', signal),
      list('/services', signal),
      list('/tasks', signal, RUNNING),
      readGateways(signal),
      readOwnNetworks(signal),
    ])
    replace(nodes, byId(parseNodes(foundNodes)))
    putPlaces()
    const nowServices = byId(parseServices(foundServices))
    const nowTasks = byService(parseTasks(foundTasks))
    for (const id of services.keys()) if (!nowServices.has(id)) remove(id)
    for (const service of nowServices.values()) put(service, nowTasks.get(service.id) ?? [])
  }

  /** What has not changed stays the same object. */
  function put(service: SwarmService, found: readonly SwarmTask[]): void {
    const { id, version } = service
    if (services.get(id)?.version !== version) services.set(id, service)
    const before = tasks.get(id)
    const isSame =
      before?.length === found.length &&
      found.every((task, at) => task.id === before[at]?.id && task.version === before[at].version)
    if (!isSame) tasks.set(id, found)
  }

  function remove(id: string): void {
    services.delete(id)
    tasks.delete(id)
  }

  function putPlaces(): void {
    const text = JSON.stringify([[...nodes.values()], [...gateways], [...ownNetworks]])
    if (text !== placesText) placesVersion += 1
    placesText = text
  }

  return {
    get view() {
      return { services, tasks, nodes, gateways, ownNetworks, placesVersion }
    },
    readAll,
    async readSome(ids, signal) {
      const found = byId(parseServices(await list('/services', signal, { id: ids })))
      const foundTasks =
        found.size === 0
          ? new Map<string, readonly SwarmTask[]>()
          : await readTasks([...found.keys()], signal)
      // One of them was removed between the two.
      if (foundTasks === null) return readAll(signal)
      await readGateways(signal)
      putPlaces()
      for (const id of ids) {
        const service = found.get(id)
        if (service === undefined) remove(id)
        else put(service, foundTasks.get(id) ?? [])
      }
    },
  }

  /** Null: there is no such service any more. */
  async function readTasks(
    service: readonly string[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, readonly SwarmTask[]> | null> {
    try {
      return byService(parseTasks(await list('/tasks', signal, { ...RUNNING, service })))
    } catch (error) {
      if (error instanceof HttpFailure && error.status === 404) return null
      throw error
    }
  }
}

function replace<T>(map: Map<string, T>, found: ReadonlyMap<string, T>): void {
  map.clear()
  for (const [id, one] of found) map.set(id, one)
}

function byId<T extends { readonly id: string }>(all: readonly T[]): ReadonlyMap<string, T> {
  return new Map(all.map((one) => [one.id, one]))
}

function byService(all: readonly SwarmTask[]): ReadonlyMap<string, readonly SwarmTask[]> {
  return Map.groupBy(all, ({ serviceId }) => serviceId)
}

/** The error of a worker, or of an engine without a swarm, which answers 503; others stay as they are. */
export function notManager(error: unknown, where: string): unknown {
  if (!(error instanceof HttpFailure) || error.status !== 503) return error
  const help = 'name a manager as endpoint, or make it one (docker swarm init, docker node promote)'
  return new Error(`the engine at ${where} is not a manager of a swarm: ${help}`, { cause: error })
}
