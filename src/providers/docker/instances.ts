/**
 * The containers of an engine as instances with labels. An instance stays the same object while nothing of it has changed,
 * because the reader of labels keeps its translation by identity.
 */
import { isDeepStrictEqual } from 'node:util'
import { createLabelReader } from '../labels/label-reader.ts'
import type { Labelled, LabelRules, Reached } from '../labels/labelled.ts'
import { quote } from '../../model/parsed.ts'
import type { Problem } from '../../model/problem.ts'
import {
  ownerOfNetwork,
  unsharedNetwork,
  placeOf,
  type AddressRules,
  type Surroundings,
} from './address.ts'
import type { Container, Inspected, ReadContainer } from './container.ts'
import type { PortWatch, WatchedAddress } from './port-watch.ts'
import type { Stops } from './stops.ts'

export interface Instances {
  /** All containers that run. */
  replace(list: readonly ReadContainer[]): void
  /** Those of `ids`; the ones that are not in `list` do not run any more. */
  update(ids: Iterable<string>, list: readonly ReadContainer[]): void
  /** Whether labels make a server of it. */
  isServer(id: string): boolean
  /** Those of which the list does not say enough. */
  uninspected(): readonly string[]
  inspected(id: string, found: Inspected): void
  /** With them, ports of new ones are watched. */
  items(): readonly Labelled[]
  /** Containers that cannot be read. */
  problems(): readonly Problem[]
}

export interface InstancesOptions {
  readonly rules: LabelRules
  readonly addresses: AddressRules
  /** The id of Sluice's own container, or the beginning of it. */
  readonly ownId: string | null
  readonly ports: PortWatch
  readonly stops: Stops
}

interface Entry {
  /** As it is listed, and its network mode. */
  container: Container
  /** Null: it has not been asked for. It is the same as long as there is the container. */
  more: Inspected | null
  /** What its addresses were made of: its environment, Sluice's own container, and the one whose network it uses. */
  basis: Basis | null
  targets: readonly WatchedAddress[]
  /** What the instance was made of besides. */
  state: string
  item: Labelled | null
}

interface Basis {
  readonly more: Inspected | null
  readonly own: Container | null
  readonly owner: Container | null
}

const MAX_UNREADABLE = 20
const UNREAD = { basis: null, targets: [], state: '', item: null } as const

export function createInstances(options: InstancesOptions): Instances {
  const { rules, addresses, ownId, ports, stops } = options
  const entries = new Map<string, Entry>()
  const byName = new Map<string, string>()
  /** Finds out which ports labels choose: asks for the address of each. */
  const scout = createLabelReader({ ...rules, kind: 'docker' })
  let unreadable: readonly Problem[] = []

  const find = (id: string): Container | null =>
    (entries.get(id) ?? entries.get(byName.get(id) ?? ''))?.container ?? null

  function findOwn(): Container | null {
    if (ownId === null) return null
    const exact = entries.get(ownId)
    if (exact !== undefined || ownId.length === 64) return exact?.container ?? null
    for (const [id, { container }] of entries) if (id.startsWith(ownId)) return container
    return null
  }

  function put(listed: Container): void {
    const { id, name, isYoung } = listed
    const before = entries.get(id)
    const more = before?.more ?? null
    const container = complete(listed, more)
    if (before !== undefined) {
      // How long it runs is no change.
      if (isDeepStrictEqual({ ...before.container, isYoung }, container)) return
      byName.delete(before.container.name)
    }
    byName.set(name, id)
    entries.set(id, { container, more, ...UNREAD })
  }

  function remove(id: string): void {
    const name = entries.get(id)?.container.name
    if (name !== undefined && byName.get(name) === id) byName.delete(name)
    entries.delete(id)
    ports.forget(id)
    stops.forget(id)
  }

  function take(list: readonly ReadContainer[]): ReadonlySet<string> {
    const ids = new Set<string>()
    for (const one of list) {
      if ('fault' in one || isOneOff(one)) continue
      ids.add(one.id)
      put(one)
    }
    return ids
  }

  /** Called for each container at each list: it allocates nothing while nothing has changed. */
  function refresh(entry: Entry, own: Container | null): Labelled {
    const { container, more } = entry
    const { id, health, networkMode } = container
    const owner = networkMode?.startsWith('container:') === true ? ownerOf(container) : null
    const around: Surroundings = { rules: addresses, own, find }
    const { basis } = entry
    if (basis === null || basis.more !== more || basis.own !== own || basis.owner !== owner) {
      entry.basis = { more, own, owner }
      entry.targets = targetsOf(entry, around)
      entry.item = null
    }
    const isRunning = container.state === 'running'
    // A health check decides by itself.
    const isWatched = health === 'none' && isRunning
    if (isWatched) ports.watch(id, entry.targets)
    const isReady = isWatched ? isListening(entry) : isRunning && health === 'healthy'
    const isServing = isReady && !stops.isStopping(id)
    const state = isServing && isWatched ? looksOf(entry) : String(isServing)
    if (entry.item !== null && entry.state === state) return entry.item
    entry.state = state
    entry.item = toLabelled(entry, isServing, (port) => {
      const place = placeOf(container, port, around)
      if ('reason' in place || !isWatched) return place
      const look = ports.look(id, place.host, place.port)
      if (look === 'open') return place
      return { reason: describeClosed(place, look.error, unsharedNetwork(container, around)) }
    })
    return entry.item
  }

  function ownerOf(container: Container): Container | null {
    const owner = ownerOfNetwork(container, { find })
    return 'reason' in owner ? null : owner
  }

  /** One of its ports is, or it is time to report that none is. */
  function isListening({ container: { id }, targets }: Entry): boolean {
    return (
      targets.length === 0 ||
      targets.some(({ host, port }) => {
        const look = ports.look(id, host, port)
        return look === 'open' || look.isLate
      })
    )
  }

  function looksOf({ container: { id }, targets }: Entry): string {
    let text = ''
    for (const { host, port } of targets) {
      const look = ports.look(id, host, port)
      text += look === 'open' ? 'open,' : `${look.error},`
    }
    return text
  }

  function isUnclear({ container: { networkMode, networks }, more }: Entry): boolean {
    return more === null && (rules.virtualHost || (networkMode === null && networks.length === 0))
  }

  function targetsOf(entry: Entry, around: Surroundings): readonly WatchedAddress[] {
    const found = new Map<string, WatchedAddress>()
    const isPublished = addresses.publishedPorts
    const item = toLabelled(entry, true, (port) => {
      const place = placeOf(entry.container, port, around)
      if (!('reason' in place)) found.set(`${place.host} ${place.port}`, { ...place, isPublished })
      return place
    })
    scout.read([item])
    return [...found.values()]
  }

  return {
    replace(list) {
      const ids = take(list)
      for (const id of [...entries.keys()]) if (!ids.has(id)) remove(id)
      const faulty = list.filter((one) => 'fault' in one)
      unreadable = faulty.slice(0, MAX_UNREADABLE).map(({ name, fault }) => ({
        ...{ kind: 'source', id: '', source: '' },
        key: `container ${name}`,
        message: fault,
      }))
    },
    update(ids, list) {
      const found = take(list)
      for (const id of ids) if (!found.has(id)) remove(id)
    },
    isServer: (id) => (entries.get(id)?.targets.length ?? 0) > 0,
    uninspected: () => [...entries.values()].filter(isUnclear).map(({ container }) => container.id),
    inspected(id, more) {
      const entry = entries.get(id)
      if (entry === undefined) return
      Object.assign(entry, { container: complete(entry.container, more), more, ...UNREAD })
    },
    items() {
      const own = findOwn()
      return [...entries.values()].map((entry) => refresh(entry, own))
    },
    problems: () => unreadable,
  }
}

function describeClosed(
  { host, port }: { readonly host: string; readonly port: number },
  error: string | null,
  network: string | null,
): string {
  const cause = error === null ? '' : `: ${error}`
  const hint =
    network === null ? '' : `; Sluice's container is not in its network ${quote(network)}`
  return `has not accepted a connection at ${host} port ${port} since it started${cause}${hint}`
}

function complete(container: Container, more: Inspected | null): Container {
  if (container.networkMode !== null || more === null) return container
  return { ...container, networkMode: more.networkMode }
}

function toLabelled(
  { container, more }: Pick<Entry, 'container' | 'more'>,
  isServing: boolean,
  address: (port: number) => Reached,
): Labelled {
  const { name, labels, ports, createdAt } = container
  return {
    id: name,
    key: `container ${name}`,
    service: serviceOf(container),
    labels,
    ...(more === null ? {} : { env: more.env }),
    ports,
    address,
    isServing,
    createdAt,
  }
}

/** Compose's service and project, Swarm's service, or its own name. */
export function serviceOf({ name, labels }: Pick<Container, 'name' | 'labels'>): string {
  const service = labels.get('com.docker.compose.service')
  const project = labels.get('com.docker.compose.project')
  if (service !== undefined) return project === undefined ? service : `${service}-${project}`
  return labels.get('com.docker.swarm.service.name') ?? name
}

/** Of `docker compose run`: it has the labels of its service, but is no instance of it. */
function isOneOff({ labels }: Container): boolean {
  return labels.get('com.docker.compose.oneoff')?.toLowerCase() === 'true'
}
