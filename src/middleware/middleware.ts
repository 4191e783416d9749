/**
 * The seam of the middlewares. A kind is one file and one line in catalog.ts; a route without any pays nothing.
 *
 * A kind that remembers (a limiter, a breaker) has a slot or a table in the scoreboard, one for each frontend and options,
 * or for each backend and options: all threads see the same, and it survives every change around it.
 */
import type { ResponseHead } from '../http/response-head.ts'
import type { LocalResponse } from '../http/local-response.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Path } from '../model/parsed.ts'
import type { Slot } from '../scoreboard/scoreboard.ts'

/** Compiled for one route. Outermost first on the way in, last on the way out. */
export interface Middleware {
  /**
   * Looks at a request before it is forwarded, and may edit it. If it returns `pending`, it must call `context.resume` (or
   * `context.fault`) once, later.
   */
  readonly onRequest?: (
    exchange: Exchange,
    context: MiddlewareContext,
  ) => MiddlewareDecision | 'pending'
  /** Edits the head of an answer on its way to the client: a server's, or one that the proxy makes further in. */
  readonly onResponse?: (exchange: Exchange, head: ResponseHead) => void
}

/** Null: the next middleware is run. A local response ends the request here. */
export type MiddlewareDecision = LocalResponse | UseBackend | null

/** The request goes to this backend instead of the route's, after the remaining middlewares. The last one that says so wins. */
export interface UseBackend {
  readonly useBackend: string
}

/** One request on its way through the middlewares of its route, as each of them sees it. */
export interface MiddlewareContext {
  /** The exchange has ended, perhaps because its client left: further work for it is in vain. */
  readonly isOver: boolean
  /**
   * Calls `listener` once when the exchange has ended, in whatever way, or at once if it is over. Listeners are called in
   * reverse order.
   */
  onEnd(listener: (outcome: ExchangeOutcome) => void): void
  /** The decision after `pending`. Does nothing if the exchange is over. */
  resume(decision: MiddlewareDecision): void
  /** The decision failed with an exception: the request ends with 500. */
  fault(error: unknown): void
}

export interface ExchangeOutcome {
  /** Of the answer that the client was sent; 0 when none was begun. */
  readonly status: number
  /** The client left, or sent garbage, or the proxy itself was at fault: nothing that tells about a server. */
  readonly isClientsFault: boolean
  /** Of the answer's head, or of the end without one; performance.now(). */
  readonly headAt: number
  /** From the request's head, or from its body's last bytes before that, to `headAt`, ms. */
  readonly headMs: number
}

/** `path`: of what is wrong, from the options down; the message names it, too. */
export type ParsedOptions<T> = { ok: true; value: T } | { ok: false; message: string; path?: Path }

export interface MiddlewareKind<T> {
  readonly kind: string
  /** Options as declared: unknown in, every default filled, or what is wrong with them. */
  readonly parse: (options: unknown) => ParsedOptions<T>
  /** What it remembers in. None without it. */
  readonly state?: MiddlewareState
  /** What of the options makes what it remembers another thing: other options may change around it. All, without this. */
  readonly identity?: (options: T) => unknown
  /** Backends that the options name, and the options with other names for them. */
  readonly backends?: {
    readonly named: (options: T) => readonly string[]
    readonly renamed: (options: T, rename: (name: string) => string) => T
  }
  /** What `compile` needs in this thread and only these options do, such as a client: awaited before. Null: nothing. */
  readonly prepare?: (options: T) => Promise<unknown> | null
  readonly compile: (options: T, context: CompileContext) => Middleware
}

/** `backend`: all frontends of a backend with the same options share one. */
export interface MiddlewareState {
  readonly in: 'slot' | 'table'
  readonly of: 'frontend' | 'backend'
}

/** What a middleware is compiled with, in one serving thread. */
export interface CompileContext {
  /** The id of its frontend. */
  readonly frontend: string
  /** For kinds whose state is in a slot or in a table. For others, reading it throws. */
  readonly slot: Slot
  readonly table: BigInt64Array
  /** The board's clock: ms, monotonic, the same in every thread. */
  readonly now: () => number
  /** A number of this process that keys are hashed with, so that clients cannot choose keys that collide. The same in every thread. */
  readonly seed: number
}
