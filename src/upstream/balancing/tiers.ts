/**
 * Two tiers of servers, each with its own balancer: backups are used only while no primary server is available. If no server at
 * all is available, those in connect backoff are tried, primaries first. Draining servers are in no tier.
 */
import type { Backend } from '../../model/snapshot.ts'
import { SHARED } from '../../scoreboard/layout.ts'
import {
  type BalancedRequest,
  type Balancer,
  type BalancerContext,
  balancerOf,
  compileBalancer,
  type IsIneligible,
} from './balancer.ts'
import type { Endpoint } from '../endpoint/endpoint.ts'

/** From strict to lenient, see eligibility.ts. */
export interface Ineligibility {
  readonly skipsTurn: IsIneligible
  readonly isUnavailable: IsIneligible
  readonly isExcluded: IsIneligible
}

export class Tiers {
  /** All that are not draining. */
  readonly endpoints: readonly Endpoint[]
  readonly #primaries: Balancer
  /** The balancer for further attempts, created with the first one. */
  readonly #createAgain: () => Balancer
  #again: Balancer | null = null
  /** Null if there are none. */
  readonly #backups: Balancer | null

  constructor(
    endpoints: readonly Endpoint[],
    backend: Backend,
    context: Omit<BalancerContext, 'ticket'>,
  ) {
    this.endpoints = endpoints.filter(({ drain }) => !drain)
    const create = compileBalancer(backend)
    const primaries = this.endpoints.filter(({ backup }) => !backup)
    const backups = this.endpoints.filter(({ backup }) => backup)
    this.#primaries = create(primaries, { ...context, ticket: SHARED.ticket })
    // With turns of their own: of two servers that take turns the one that fails would get each first attempt, when the
    // second attempts take the other one's turns. What goes by no turns needs no second one.
    this.#createAgain = balancerOf(backend).takesTurns
      ? () => create(primaries, { ...context, ticket: SHARED.retryTicket })
      : () => this.#primaries
    // Turns of their own: each pick of a backup has already drawn unused turns of the primaries.
    this.#backups =
      backups.length === 0 ? null : create(backups, { ...context, ticket: SHARED.backupTicket })
  }

  /** `isFirst`: the first attempt of its request. */
  pick(
    request: BalancedRequest,
    { skipsTurn, isUnavailable, isExcluded }: Ineligibility,
    isFirst: boolean,
  ): Endpoint | null {
    const primaries = isFirst ? this.#primaries : (this.#again ??= this.#createAgain())
    const backups = this.#backups
    return (
      primaries.pick(request, skipsTurn) ??
      primaries.pick(request, isUnavailable) ??
      backups?.pick(request, skipsTurn) ??
      backups?.pick(request, isUnavailable) ??
      primaries.pick(request, isExcluded) ??
      backups?.pick(request, isExcluded) ??
      null
    )
  }
}
