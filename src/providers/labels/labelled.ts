/** What sources with labels (containers, tasks, entries of a catalogue, apps) pass to the reader of labels, and what it returns. */
import type { JsonMap } from '../../model/parsed.ts'
import type { Problem } from '../../model/problem.ts'
import type { DeclaredObject } from '../provider.ts'
import type { Constraint } from './constraint.ts'

/** One instance that has labels and can serve requests. */
export interface Labelled {
  /** Unique in its source and stable. It becomes the id of the server: `shop-web-1`. */
  readonly id: string
  /** `container shop-web-1`: where messages say that a label is. */
  readonly key: string
  /** The name of its backend and its frontend, unless labels give others: `web-shop` (compose: service-project). */
  readonly service: string
  readonly labels: ReadonlyMap<string, string>
  /** The environment, if the source has one and its option `virtualHost` is set. */
  readonly env?: ReadonlyMap<string, string>
  /** The ports that it serves on, lowest first. A label may name another one. */
  readonly ports: readonly number[]
  /** Where a port is reached, or why it is not: the fault of the server. */
  address(port: number): Reached
  /** False: its routes and its backend are declared, but it gets no requests (starting, unhealthy, paused, about to stop). */
  readonly isServing: boolean
  readonly weight?: number
  /** What changes the number of its instances, as `actuator` of `scale` has it, if its source can do that. */
  readonly actuator?: JsonMap
  /** Of two instances with conflicting definitions the earlier one is in force. Ms since the epoch, or any other order. */
  readonly createdAt: number
}

/** `host`: an address or a name, IPv6 without brackets. Or why it is not reached. */
export type Reached = { readonly host: string; readonly port: number } | { readonly reason: string }

/** `docker` and so on: what Traefik calls the provider, in `shop@docker`, follows from it. */
export type LabelSourceKind = 'docker' | 'swarm' | 'consul' | 'marathon'

/** The options that sources with labels share, parsed. */
export interface LabelRules {
  /** Whether an instance without an `enable` label is read. */
  readonly exposedByDefault: boolean
  /** Instances for which it does not hold are not read; null: none. */
  readonly constraint: Constraint | null
  /** The route of an instance without labels about routes, a template; null: none. */
  readonly defaultRule: string | null
  /** The address on which labels may open ports, as it is written before `:PORT`; null: they may not. */
  readonly listen: string | null
  /** Whether VIRTUAL_HOST and its companions of nginx-proxy are read, from the environment and from labels. */
  readonly virtualHost: boolean
}

export interface LabelReader {
  /**
   * The objects that the labels of all these instances declare, each name once, in no order. What has no object is in
   * `problems`. The translation of an instance is kept by its identity: pass the same object while nothing of it changes.
   */
  read(items: Iterable<Labelled>): LabelledObjects
}

export interface LabelledObjects {
  readonly objects: readonly DeclaredObject[]
  readonly problems: readonly Problem[]
}
