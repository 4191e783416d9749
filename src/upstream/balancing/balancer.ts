/** The interface of balancers. A balancer is one file and one line in `BALANCERS`. */
import type { ZodType } from 'zod'
import type { Exchange } from '../../http/exchange.ts'
import type { Backend } from '../../model/snapshot.ts'
import type { Vocabulary } from '../../options/vocabulary.ts'
import type { Slot } from '../../scoreboard/scoreboard.ts'
import type { Endpoint } from '../endpoint/endpoint.ts'
import { hash } from './hash.ts'
import { leastConnections } from './least-connections.ts'
import { peakEwma } from './peak-ewma.ts'
import { random } from './random.ts'
import { roundRobin } from './round-robin.ts'

/**
 * Created anew when the endpoints change. What must outlive that is in the slots.
 *
 * Each one fulfils test/contract/balancer-suite.ts: servers between which it has no preference get requests in proportion to
 * their weights, idle or busy; an ineligible server gets none, and all others share its part; a single eligible server is
 * found among any number; all chance comes from `BalancerContext.random`, so that the same chance gives the same picks.
 */
export interface Balancer {
  /** An endpoint that is eligible, with its in-flight count already taken; null when there is none. */
  pick(request: BalancedRequest, isIneligible: IsIneligible): Endpoint | null
}

/** What a balancer may look at of a request. */
export type BalancedRequest = Pick<Exchange, 'clientIp' | 'path' | 'query' | 'field'>

/** Whether to skip a candidate. May take one of its turns, so a balancer never asks twice in a row about the same one. */
export type IsIneligible = (endpoint: Endpoint) => boolean

/** What balancers of a pool share. */
export interface BalancerContext {
  /** Of the backend. */
  readonly slot: Slot
  /** The cell of the slot that counts turns over all threads. */
  readonly ticket: number
  /** From 0 up to 1. */
  readonly random: () => number
  /** The board's clock, ms. */
  readonly now: () => number
}

/** `T`: the options, as admission has parsed them. They travel as JSON, and the API shows them. */
export interface BalancerKind<T = undefined> {
  /** As `balance` names it. */
  readonly name: string
  /** For editors and the docs, a sentence each: what it does, and what the weight of a server means. */
  readonly description: string
  readonly weight: string
  /** If it has options: they are a member of the backend with its name, beside `balance`. */
  readonly options?: {
    /** Only admission calls this. Each option needs a description. */
    schema(words: Vocabulary): ZodType<T>
    readonly defaults: T
    /** Request headers that the options name, by the option. */
    readsHeaders?(options: T): Readonly<Record<string, string>>
  }
  /** Servers take turns, so that further attempts of a request need turns of their own. */
  readonly takesTurns?: boolean
  /** Endpoints measure how long responses take. */
  readonly measuresLatency?: boolean
  create(endpoints: readonly Endpoint[], context: BalancerContext, options: T): Balancer
}

/** The first is the default. */
export const BALANCERS: readonly BalancerKind<unknown>[] = [
  roundRobin,
  leastConnections,
  random,
  peakEwma,
  hash,
]

const BY_NAME = new Map(BALANCERS.map((one) => [one.name, one]))

// Of backends that were admitted.

export function balancerOf({ id, balance }: Backend): BalancerKind<unknown> {
  const found = BY_NAME.get(balance)
  if (found === undefined) throw new Error(`backend ${id} was admitted with balance: ${balance}`)
  return found
}

/** Creates the balancer for some endpoints. */
export function compileBalancer(
  backend: Backend,
): (endpoints: readonly Endpoint[], context: BalancerContext) => Balancer {
  const kind = balancerOf(backend)
  const options = optionsOf(kind, backend)
  return (endpoints, context) => kind.create(endpoints, context, options)
}

/** Request headers that its options name, by the option. */
export function headersOfBalancer(backend: Backend): Readonly<Record<string, string>> {
  const kind = balancerOf(backend)
  return kind.options?.readsHeaders?.(optionsOf(kind, backend)) ?? {}
}

function optionsOf({ name, options }: BalancerKind<unknown>, backend: Backend): unknown {
  const members: object = backend
  return (members as Readonly<Record<string, unknown>>)[name] ?? options?.defaults
}
