/** A load of constant rate, every response of which is looked at: the other end of load.process.ts. */
import type { Owner } from '../../test/support/daemon.ts'
import { type PlannedProcess, programOf, startPlanned } from './planned-process.ts'

export interface LoadPlan {
  readonly port: number
  readonly requestsPerSecond: number
  /** Connections that are open before it begins; more are opened when all of them wait. */
  readonly clients: number
  /** Connections of HTTP/2 in clear, which every second request goes over, many at a time on each; 0 without it. */
  readonly http2Sessions?: number
  /** One of so many requests is a POST with a body; 0: none. */
  readonly postEvery: number
  /** Further header lines, with their ends. */
  readonly fields?: string
  /** `any`: a 200 is right with any body, if no server responds. */
  readonly expect?: 'any'
}

/**
 * A status, 200 only when the response is whole and right; `wrong`: it looks whole and is another one; `cut`: visibly not
 * whole; `closed`: no response at all; `late`: none in time; `garbled`: what came is no HTTP; `refused`: no connection.
 */
export type Outcome = number | 'wrong' | 'cut' | 'closed' | 'late' | 'garbled' | 'refused'

export interface Sample {
  readonly number: number
  /** When it was due, and how long after that its response was whole (or it had failed). */
  readonly atMs: number
  readonly tookMs: number
  readonly outcome: Outcome
  readonly post: boolean
  /** Which connection it went over; -1: there was none. */
  readonly client: number
}

export interface LoadResult {
  readonly samples: readonly Sample[]
  /** At the very end. */
  readonly unanswered: number
  /** The first few failures in words. */
  readonly notes: readonly string[]
  /** The longest time that the load itself did not get to run: the precision of its times. */
  readonly ownStallMs: number
}

export type Load = PlannedProcess<LoadResult>

export function startLoad(owner: Owner, plan: LoadPlan): Load {
  return startPlanned(owner, programOf('load'), plan)
}
