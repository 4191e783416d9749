/**
 * One container as `GET /containers/json` lists it (Docker's API reference, ContainerSummary). Engines differ in what they
 * leave out: Podman has no networks for a container on the host's network, and null for an empty map.
 */
import { isIP } from 'node:net'
import { escapeControls, isMap, type JsonMap } from '../../model/parsed.ts'

export interface Container {
  readonly id: string
  /** Without the leading slash: `shop-web-1`. */
  readonly name: string
  readonly labels: ReadonlyMap<string, string>
  /** Ms since the epoch. */
  readonly createdAt: number
  /** `running`, `paused`, `restarting` ... */
  readonly state: string
  /** `none`: it has no health check. */
  readonly health: Health
  /** It has run for a minute at most. */
  readonly isYoung: boolean
  /** `bridge`, `host`, `none`, `container:ID` or the name of a network; null: the list does not say (Podman). */
  readonly networkMode: string | null
  readonly networks: readonly ContainerNetwork[]
  /** TCP ports that it exposes or publishes, lowest first. */
  readonly ports: readonly number[]
  readonly published: readonly PublishedPort[]
}

export type Health = 'none' | 'starting' | 'healthy' | 'unhealthy'

export interface ContainerNetwork {
  readonly name: string
  /** IPv4 if it has one, else IPv6; null: it has none. */
  readonly address: string | null
  /** Where the network's host is; null: unknown. */
  readonly gateway: string | null
}

export interface PublishedPort {
  readonly port: number
  /** Of the engine's host; `0.0.0.0` or `::` for all of them. */
  readonly hostAddress: string
  readonly hostPort: number
}

export const MAX_NAME = 256

/** Or why it cannot be read. `name` is for the message. */
export type ReadContainer = Container | { readonly name: string; readonly fault: string }

export function readContainer(value: unknown): ReadContainer {
  if (!isMap(value)) return { name: '?', fault: 'is not a container' }
  const id = textOf(value['Id'])
  const name = escapeControls(nameOf(value['Names']) ?? id.slice(0, 12))
  if (!/^[0-9a-f]{12,64}$/i.test(id)) return { name: name || '?', fault: 'has no id' }
  if (name.length > MAX_NAME) {
    return { name: name.slice(0, MAX_NAME), fault: `has a name of ${name.length} characters` }
  }
  const settings = mapOf(value['NetworkSettings'])
  const status = textOf(value['Status'])
  return {
    id,
    name,
    labels: readLabels(value['Labels']),
    createdAt: typeof value['Created'] === 'number' ? value['Created'] * 1000 : 0,
    state: textOf(value['State']).toLowerCase(),
    health: readHealth(value['Health'], status),
    isYoung: /^Up (?:Less than|\d+ seconds?|About a minute)/i.test(status),
    networkMode: textOf(mapOf(value['HostConfig'])['NetworkMode']) || null,
    networks: readNetworks(settings['Networks']),
    ...readPorts(value['Ports']),
  }
}

/** What `GET /containers/ID/json` adds. */
export interface Inspected {
  readonly networkMode: string | null
  readonly env: ReadonlyMap<string, string>
}

/** Empty if there is no such container any more. */
export function readInspected(value: unknown): Inspected {
  const { HostConfig: host, Config: config } = mapOf(value)
  const { Env: lines } = mapOf(config)
  const env = new Map<string, string>()
  for (const line of Array.isArray(lines) ? lines : []) {
    const match = /^([^=]+)=(.*)$/s.exec(textOf(line))
    if (match !== null) env.set(match[1] ?? '', match[2] ?? '')
  }
  return { networkMode: textOf(mapOf(host)['NetworkMode']) || null, env }
}

/** Links add names such as `/other/alias`. */
function nameOf(names: unknown): string | null {
  if (!Array.isArray(names)) return null
  const texts = names.map(textOf).map((name) => name.replace(/^\//, ''))
  return texts.find((name) => name !== '' && !name.includes('/')) ?? null
}

export function readLabels(value: unknown): ReadonlyMap<string, string> {
  const labels = new Map<string, string>()
  for (const [name, text] of Object.entries(mapOf(value))) {
    if (typeof text === 'string') labels.set(name, text)
  }
  return labels
}

/** In a member of its own since API 1.52, before that in a text for people: `Up 5 seconds (health: starting)`. */
function readHealth(health: unknown, status: string): Health {
  const named = textOf(mapOf(health)['Status'])
  const found = named === '' ? /\((?:health: )?([a-z]+)\)$/i.exec(status)?.[1] : named
  switch (found?.toLowerCase()) {
    case 'starting':
      return 'starting'
    case 'healthy':
      return 'healthy'
    case 'unhealthy':
      return 'unhealthy'
    default:
      return 'none'
  }
}

function readNetworks(value: unknown): readonly ContainerNetwork[] {
  const networks = Object.entries(mapOf(value)).map(([name, of]) => {
    const endpoint = mapOf(of)
    const find = (...keys: readonly string[]): string | null =>
      keys.map((key) => textOf(endpoint[key])).find((text) => isIP(text) !== 0) ?? null
    return {
      name,
      address: find('IPAddress', 'GlobalIPv6Address'),
      gateway: find('Gateway', 'IPv6Gateway'),
    }
  })
  return networks.toSorted((one, other) => (one.name < other.name ? -1 : 1))
}

function readPorts(value: unknown): Pick<Container, 'ports' | 'published'> {
  const ports = new Set<number>()
  const published: PublishedPort[] = []
  for (const one of Array.isArray(value) ? value : []) {
    const { PrivatePort: port, PublicPort: hostPort, IP: hostAddress, Type: type } = mapOf(one)
    if (!isPort(port) || (type !== undefined && type !== 'tcp')) continue
    ports.add(port)
    if (!isPort(hostPort)) continue
    const address = textOf(hostAddress)
    published.push({ port, hostPort, hostAddress: isIP(address) === 0 ? '0.0.0.0' : address })
  }
  return { ports: [...ports].sort((one, other) => one - other), published }
}

function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535
}

function mapOf(value: unknown): JsonMap {
  return isMap(value) ? value : {}
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
