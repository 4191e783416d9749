/**
 * What the API of a Swarm's manager says about services, tasks and nodes, as far as it matters here (Docker Engine API,
 * `/services`, `/tasks`, `/nodes`, `/networks/NAME`). An item without a valid id is left out; of the others, a member of
 * another type than the API's counts as missing.
 */
import { isIP } from 'node:net'
import { isMap, type JsonMap } from '../../model/parsed.ts'

export interface SwarmService {
  readonly id: string
  /** Increases with every change of the service. */
  readonly version: number
  readonly name: string
  readonly labels: ReadonlyMap<string, string>
  /** Ms since the epoch. */
  readonly createdAt: number
  /** How many tasks it should have; null: it depends on the nodes (global) or on work that is left (jobs). */
  readonly replicas: number | null
  /** An update or a rollback is on its way. */
  readonly isUpdating: boolean
  /** Ports of containers that the service publishes, lowest first. */
  readonly ports: readonly number[]
}

export interface SwarmTask {
  readonly id: string
  /** Increases with every change of the task. */
  readonly version: number
  readonly serviceId: string
  /** Counted from 1; null: of a global service. */
  readonly slot: number | null
  readonly nodeId: string
  /** `running`, `starting`, `shutdown` ... With a health check, a task is `running` once that has succeeded. */
  readonly state: string
  readonly desiredState: string
  /** Null before the container is created. */
  readonly containerId: string | null
  /** Without the ingress network. */
  readonly networks: readonly TaskNetwork[]
  /** It uses the network of its node. */
  readonly isOnHost: boolean
  /** Published on its node (mode `host`). */
  readonly ports: readonly TaskPort[]
}

export interface TaskNetwork {
  readonly id: string
  readonly name: string
  readonly address: string
}

export interface TaskPort {
  readonly target: number
  readonly published: number
}

export interface SwarmNode {
  readonly id: string
  readonly hostname: string
  /** Where its published ports are; null: it has not said. */
  readonly address: string | null
}

export function parseServices(body: unknown): readonly SwarmService[] {
  return listOf(body, (item, id) => {
    const spec = mapOf(item['Spec'])
    const mode = mapOf(spec['Mode'])
    const name = textOf(spec['Name'])
    if (name === null) return null
    const replicas = mapOf(mode['Replicated'])['Replicas']
    const update = textOf(mapOf(item['UpdateStatus'])['State'])
    return {
      id,
      version: versionOf(item),
      name,
      labels: labelsOf(spec['Labels']),
      createdAt: Date.parse(textOf(item['CreatedAt']) ?? '') || 0,
      replicas: typeof replicas === 'number' ? replicas : null,
      isUpdating: update === 'updating' || update === 'rollback_started',
      ports: portsOf(mapOf(spec['EndpointSpec'])['Ports']),
    }
  })
}

export function parseTasks(body: unknown): readonly SwarmTask[] {
  return listOf(body, (item, id) => {
    const serviceId = textOf(item['ServiceID'])
    if (serviceId === null) return null
    const status = mapOf(item['Status'])
    const { Slot: slot } = item
    return {
      id,
      version: versionOf(item),
      serviceId,
      slot: typeof slot === 'number' && slot > 0 ? slot : null,
      nodeId: textOf(item['NodeID']) ?? '',
      state: textOf(status['State']) ?? '',
      desiredState: textOf(item['DesiredState']) ?? '',
      containerId: textOf(mapOf(status['ContainerStatus'])['ContainerID']),
      networks: networksOf(item['NetworksAttachments']),
      isOnHost: isOnHost(item['NetworksAttachments']),
      ports: taskPortsOf(mapOf(status['PortStatus'])['Ports']),
    }
  })
}

export function parseNodes(body: unknown): readonly SwarmNode[] {
  return listOf(body, (item, id) => {
    const own = textOf(mapOf(item['Status'])['Addr'])
    // A manager may list itself as 0.0.0.0 or 127.0.0.1 (moby#35437); what it is for other managers is always set.
    const asManager = textOf(mapOf(item['ManagerStatus'])['Addr'])?.replace(/:\d+$/, '') ?? ''
    const all = [asManager.replace(/^\[|\]$/g, ''), own ?? '']
    const address = all.find(isHost) ?? null
    return { id, hostname: textOf(mapOf(item['Description'])['Hostname']) ?? id, address }
  })
}

/** Addresses by id of their container: those of this engine's containers alone. */
export function parseNetworkContainers(body: unknown): ReadonlyMap<string, string> {
  const addresses = new Map<string, string>()
  for (const [id, container] of Object.entries(mapOf(mapOf(body)['Containers']))) {
    const address = addressOf(mapOf(container)['IPv4Address'])
    if (address !== null) addresses.set(id, address)
  }
  return addresses
}

/** Ids of the networks of a container, as `GET /containers/ID/json` has them. */
export function parseContainerNetworks(body: unknown): ReadonlySet<string> {
  const networks = mapOf(mapOf(mapOf(body)['NetworkSettings'])['Networks'])
  const ids = Object.values(networks).map((network) => textOf(mapOf(network)['NetworkID']))
  return new Set(ids.filter((id) => id !== null))
}

function listOf<T>(body: unknown, read: (item: JsonMap, id: string) => T | null): readonly T[] {
  if (!Array.isArray(body)) throw new Error('the response must be a list')
  const all: T[] = []
  for (const item of body as readonly unknown[]) {
    const id = isMap(item) ? textOf(item['ID']) : null
    const one = id === null ? null : read(item as JsonMap, id)
    if (one !== null) all.push(one)
  }
  return all
}

function labelsOf(value: unknown): ReadonlyMap<string, string> {
  const labels = new Map<string, string>()
  for (const [key, text] of Object.entries(mapOf(value))) {
    if (typeof text === 'string') labels.set(key, text)
  }
  return labels
}

function portsOf(value: unknown): readonly number[] {
  const ports = itemsOf(value)
    .filter(isTcp)
    .map((port) => port['TargetPort'])
    .filter((port) => typeof port === 'number')
  return [...new Set(ports)].sort((a, b) => a - b)
}

function networksOf(value: unknown): readonly TaskNetwork[] {
  const networks: TaskNetwork[] = []
  for (const attachment of itemsOf(value)) {
    const network = mapOf(attachment['Network'])
    const spec = mapOf(network['Spec'])
    const [id, name] = [textOf(network['ID']), textOf(spec['Name'])]
    const addresses = attachment['Addresses']
    const all = Array.isArray(addresses) ? addresses.map(addressOf) : []
    const address = all.find((one) => one !== null)
    // Through the ingress network a task is reached by its service's published port alone.
    if (id === null || name === null || address === undefined || spec['Ingress'] === true) continue
    networks.push({ id, name, address })
  }
  return networks
}

function isOnHost(value: unknown): boolean {
  return itemsOf(value).some((one) => {
    const spec = mapOf(mapOf(one['Network'])['Spec'])
    return mapOf(spec['DriverConfiguration'])['Name'] === 'host'
  })
}

/** The API lists each of them twice if the port is bound for IPv4 and IPv6. */
function taskPortsOf(value: unknown): readonly TaskPort[] {
  const ports = new Map<string, TaskPort>()
  for (const port of itemsOf(value)) {
    const { TargetPort: target, PublishedPort: published, PublishMode: mode } = port
    if (typeof target !== 'number' || typeof published !== 'number') continue
    if (isTcp(port) && mode === 'host') ports.set(`${target} ${published}`, { target, published })
  }
  return [...ports.values()]
}

function isTcp(port: JsonMap): boolean {
  return (port['Protocol'] ?? 'tcp') === 'tcp'
}

/** `10.0.1.2/24` or `10.0.1.2`. */
function addressOf(value: unknown): string | null {
  const address = (textOf(value) ?? '').split('/', 1)[0] ?? ''
  return isIP(address) === 0 ? null : address
}

function isHost(address: string): boolean {
  return isIP(address) !== 0 && address !== '0.0.0.0' && address !== '::'
}

function versionOf(item: JsonMap): number {
  const index = mapOf(item['Version'])['Index']
  return typeof index === 'number' ? index : 0
}

function itemsOf(value: unknown): readonly JsonMap[] {
  return Array.isArray(value) ? value.filter((item) => isMap(item)) : []
}

const NOTHING: JsonMap = {}

function mapOf(value: unknown): JsonMap {
  return isMap(value) ? value : NOTHING
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}
