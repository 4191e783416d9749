/**
 * Where a port of a container is reached from here: at its address in one network, on the engine's host if it uses the host's
 * network, or at a port that is published there.
 */
import { isIPv6 } from 'node:net'
import { quote } from '../../model/parsed.ts'
import type { Reached } from '../labels/labelled.ts'
import type { Container, ContainerNetwork } from './container.ts'

export interface AddressRules {
  /** The network to use if a container is in several; null: a label, or the one that Sluice is in. */
  readonly network: string | null
  /** Servers are reached at ports that are published on the engine's host. */
  readonly publishedPorts: boolean
  /** Where that host is; null: see `hostOf`. */
  readonly hostAddress: string | null
  /** The host of an endpoint over TCP; null: the engine is reached over a socket, on this host. */
  readonly endpointHost: string | null
}

/** What an address depends on besides the container itself. */
export interface Surroundings {
  readonly rules: AddressRules
  /** Sluice's own container, if it runs in one of this engine. */
  readonly own: Container | null
  /** By id or name. */
  readonly find: (id: string) => Container | null
}

/** The label that chooses a network, here and in Traefik. */
const NETWORK_LABELS: readonly string[] = ['sluice.network', 'traefik.docker.network']
const PROJECT_LABEL = 'com.docker.compose.project'
const MAX_SHARED = 3
const MAX_SHOWN = 5

export function placeOf(container: Container, port: number, around: Surroundings): Reached {
  const { rules } = around
  if (rules.publishedPorts) return publishedPlace(container, port, around)
  const base = ownerOfNetwork(container, around)
  if ('reason' in base) return base
  if (usesHost(base)) {
    const host = hostOf(around)
    return typeof host === 'string' ? { host, port } : host
  }
  if (base.networkMode === 'none') {
    return { reason: 'has no network (network_mode: none), so it cannot be reached' }
  }
  const network = chooseNetwork(container, base, around)
  if ('reason' in network) return network
  const { name, address } = network
  return address === null
    ? { reason: `has no address in network ${quote(name)}` }
    : { host: address, port }
}

/** The container whose network it uses (`network_mode: container:ID` or `service:NAME`): usually itself. */
export function ownerOfNetwork(
  container: Container,
  { find }: Pick<Surroundings, 'find'>,
): Container | { readonly reason: string } {
  let owner = container
  for (let step = 0; step < MAX_SHARED; step++) {
    const shared = /^container:(.+)$/.exec(owner.networkMode ?? '')?.[1]
    if (shared === undefined) return owner
    const next = find(shared)
    if (next === null) {
      return { reason: `uses the network of container ${quote(shared)}, which does not run` }
    }
    owner = next
  }
  return { reason: 'uses the network of a container that uses the network of another one' }
}

/** The network in which it would be reached, if Sluice's own container is not in it: the usual reason of no connection. */
export function unsharedNetwork(container: Container, around: Surroundings): string | null {
  const { rules, own } = around
  if (own === null || usesHost(own) || rules.publishedPorts) return null
  const base = ownerOfNetwork(container, around)
  if ('reason' in base || usesHost(base)) return null
  const network = chooseNetwork(container, base, around)
  if ('reason' in network || own.networks.some(({ name }) => name === network.name)) return null
  return network.name
}

function usesHost({ networkMode, networks }: Container): boolean {
  return networkMode === 'host' || (networks.length === 1 && networks[0]?.name === 'host')
}

function chooseNetwork(
  container: Container,
  { networks }: Container,
  { rules, own }: Surroundings,
): ContainerNetwork | { readonly reason: string } {
  const named = networkLabelOf(container) ?? rules.network
  if (named !== null) {
    // Compose puts the project before the names of a file.
    const project = container.labels.get(PROJECT_LABEL)
    const names = project === undefined ? [named] : [named, `${project}_${named}`]
    const found = names.map((name) => networks.find((one) => one.name === name)).find(Boolean)
    return found ?? { reason: `is not in network ${quote(named)}${listOf(networks)}` }
  }
  const [first] = networks
  if (first === undefined) return { reason: 'is in no network' }
  if (networks.length === 1) return first
  const shared = networks.filter(({ name }) => own?.networks.some((one) => one.name === name))
  // Each of them leads there.
  const [best] = shared
  if (best !== undefined) return best
  return {
    reason: `is in several networks${listOf(networks)}: choose one with the label sluice.network or the option network`,
  }
}

function networkLabelOf({ labels }: Container): string | null {
  for (const label of NETWORK_LABELS) {
    const text = labels.get(label)?.trim()
    if (text !== undefined && text !== '') return text
  }
  return null
}

function listOf(networks: readonly ContainerNetwork[]): string {
  if (networks.length === 0) return '; it is in none'
  const names = networks.slice(0, MAX_SHOWN).map(({ name }) => quote(name))
  return ` (it is in ${names.join(', ')}${networks.length > MAX_SHOWN ? ', ...' : ''})`
}

function publishedPlace({ published }: Container, port: number, around: Surroundings): Reached {
  const own = published.filter((one) => one.port === port)
  // One entry for each address family.
  const found = own.find(({ hostAddress }) => !isIPv6(hostAddress)) ?? own[0]
  if (found === undefined) {
    return { reason: `does not publish port ${port}, which publishedPorts needs` }
  }
  const { hostAddress, hostPort } = found
  if (isAny(hostAddress)) {
    const host = hostOf(around)
    return typeof host === 'string' ? { host, port: hostPort } : host
  }
  const isLoopback = hostAddress.startsWith('127.') || hostAddress === '::1'
  if (isLoopback && !isOnHost(around)) {
    return {
      reason: `publishes port ${port} at ${hostAddress} only, which cannot be reached from here`,
    }
  }
  return { host: hostAddress, port: hostPort }
}

function isAny(address: string): boolean {
  return address === '0.0.0.0' || address === '::'
}

/** The engine's host as this process reaches it. */
function hostOf(around: Surroundings): string | { readonly reason: string } {
  const { rules, own } = around
  if (rules.hostAddress !== null) return rules.hostAddress
  if (own === null || usesHost(own)) return rules.endpointHost ?? '127.0.0.1'
  // From within a container, 127.0.0.1 is the container, and the endpoint may be a proxy beside it.
  const gateway = own.networks.map((one) => one.gateway).find((one) => one !== null)
  return gateway ?? { reason: 'is on the host, whose address is not known: set hostAddress' }
}

function isOnHost({ rules, own }: Surroundings): boolean {
  return own === null ? rules.endpointHost === null : usesHost(own)
}
