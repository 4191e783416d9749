/** Where the port of a task is reached, which depends on where Sluice runs. */
import type { Reached } from '../labels/labelled.ts'
import type { SwarmNode, SwarmService, SwarmTask } from './api.ts'

/**
 * `overlay`: in a network that the task shares with Sluice, which runs as a container in it. `gateway`: through the bridge
 * docker_gwbridge, for Sluice on the host itself; this reaches the tasks of that node. `host`: the port that the task publishes on
 * its node in mode `host`.
 */
export const ADDRESSES = ['overlay', 'gateway', 'host'] as const

export interface AddressRules {
  readonly address: (typeof ADDRESSES)[number]
  /** The network for services without a label of their own; null: any. */
  readonly network: string | null
}

/** What else an address depends on. */
export interface Places {
  /** Null: it has left the swarm, or is not listed yet. */
  readonly node: SwarmNode | null
  /** On docker_gwbridge; null: it has none. */
  readonly gateway: string | null
  /** Ids of the networks that Sluice's own container is in. */
  readonly ownNetworks: ReadonlySet<string>
}

/** Traefik's names for it are those of its providers `swarm` and, before version 3, `docker`. */
const NETWORK_LABELS = ['sluice.network', 'traefik.swarm.network', 'traefik.docker.network']
/** Of a service of a stack. The names of the stack's own networks begin with it. */
const STACK = 'com.docker.stack.namespace'

export function reach(
  service: SwarmService,
  task: SwarmTask,
  port: number,
  rules: AddressRules,
  { node, gateway, ownNetworks }: Places,
): Reached {
  if (task.isOnHost) return onNode(node, port)
  switch (rules.address) {
    case 'overlay':
      return inNetwork(service, task, port, networkOf(service, rules), ownNetworks)
    case 'gateway':
      if (gateway !== null) return { host: gateway, port }
      return {
        reason: `has no address on docker_gwbridge of this node: it runs on ${nameOf(node)}, or in no overlay network`,
      }
    case 'host': {
      const found = task.ports.find(({ target }) => target === port)
      if (found !== undefined) return onNode(node, found.published)
      return { reason: `does not publish port ${port} in mode host` }
    }
    default:
      return rules.address satisfies never
  }
}

function networkOf({ labels }: SwarmService, { network }: AddressRules): string | null {
  for (const label of NETWORK_LABELS) {
    const name = labels.get(label)?.trim() ?? ''
    if (name !== '') return name
  }
  return network
}

function inNetwork(
  { labels }: SwarmService,
  { networks }: SwarmTask,
  port: number,
  wanted: string | null,
  ownNetworks: ReadonlySet<string>,
): Reached {
  const stack = labels.get(STACK)
  const found =
    wanted === null
      ? (networks.find(({ id }) => ownNetworks.has(id)) ?? networks[0])
      : (networks.find(({ name }) => name === wanted) ??
        networks.find(({ name }) => stack !== undefined && name === `${stack}_${wanted}`))
  if (found !== undefined) return { host: found.address, port }
  if (networks.length === 0) return { reason: 'is in no overlay network' }
  const names = networks.map(({ name }) => `"${name}"`).join(', ')
  return { reason: `is not in the network "${wanted}", but in ${names}` }
}

function onNode(node: SwarmNode | null, port: number): Reached {
  if (node === null) return { reason: 'runs on a node that is not listed' }
  if (node.address !== null) return { host: node.address, port }
  return { reason: `runs on node "${node.hostname}", which has no address` }
}

function nameOf(node: SwarmNode | null): string {
  return node === null ? 'a node that is not listed' : `node "${node.hostname}"`
}
