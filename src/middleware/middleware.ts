/**
 * The interface of middlewares. A kind is one file and one line in catalog.ts. A route without middlewares pays nothing.
 *
 * A kind with state (a limiter, a breaker) keeps it in a slot or a table of the scoreboard, one for each frontend and options,
 * or for each backend and options: all threads share it, and it survives changes to other objects.
 */
import type { ZodType } from 'zod'
import type { ResponseHead } from '../http/message/response-head.ts'
import type { LocalResponse } from '../http/message/local-response.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Vocabulary } from '../options/vocabulary.ts'
import type { Slot } from '../scoreboard/scoreboard.ts'

/** Compiled for one route. Outermost first on the way in, last on the way out. */
export interface Middleware {
  /**
   * Looks at a request before it is forwarded, and may edit it. If it returns `pending`, it must call `context.resume` (or
   * `context.fault`) once, later, and give up its timer or place in a queue in `context.onEnd`, because clients leave.
   */
  readonly onRequest?: (
    exchange: Exchange,
    context: MiddlewareContext,
  ) => MiddlewareDecision | 'pending'
  /** Edits the head of a response on its way to the client: a server's, or a local response from further in. */
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
  /** The exchange has ended, perhaps because its client left: further work for it has no use. */
  readonly isOver: boolean
  /**
   * Calls `listener` once when the exchange has ended, in any way, or immediately if it is over. Listeners are called in
   * reverse order.
   */
  onEnd(listener: (outcome: ExchangeOutcome) => void): void
  /** The decision after `pending`. Does nothing if the exchange is over. */
  resume(decision: MiddlewareDecision): void
  /** The decision failed with an exception: the request ends with 500. */
  fault(error: unknown): void
}

export interface ExchangeOutcome {
  /** Of the response that the client was sent; 0 if none was begun. */
  readonly status: number
  /** The client left or sent a malformed body, or the proxy had a fault: no evidence about a server. */
  readonly isClientsFault: boolean
  /** When the response's head came, or the exchange ended without one; performance.now(). */
  readonly headAt: number
  /** From the request's head, or from its body's last bytes before that, to `headAt`, ms. */
  readonly headMs: number
}

/** `T`: the options as admission has parsed them. They travel as JSON, and the API shows them. */
export interface MiddlewareKind<T> {
  /** As it is written: the key of a frontend, or `kind` in the list of its middlewares. */
  readonly kind: string
  /**
   * The schema of the options: it validates them, fills in defaults, and is what editors and the docs show. Only admission
   * calls this. Each option needs a description.
   */
  options(words: Vocabulary): ZodType<T>
  /** `filter` if this is absent. */
  role?(options: T): MiddlewareRole
  /** Splits the short form in two: `outer` goes outside of all other middlewares, `inner` where the catalog says. */
  split?(options: T): { readonly outer: T | null; readonly inner: T | null }
  /** Backends that the options name, and the options with other names for them. */
  readonly backends?: {
    named(options: T): readonly string[]
    renamed(options: T, rename: (name: string) => string): T
  }
  /** Request headers that the options name, by the option. */
  readsHeaders?(options: T): Readonly<Record<string, string>>
  /** Where it keeps its state, if it has any. */
  readonly state?: MiddlewareState
  /** Those options that make a new state when they change. All of them, if this is absent. */
  identity?(options: T): unknown
  /** Loads what only these options need in a thread, such as a client, before `compile` is called. Null: nothing. */
  prepare?(options: T): Promise<unknown> | null
  compile(options: T, context: CompileContext): Middleware
}

/**
 * Which requests it responds to by itself. `filter`: some, or none. `first`: some, and it goes before all filters. `terminal`: all,
 * so that nothing behind it is reached; a frontend with one needs no backend.
 */
export type MiddlewareRole = 'first' | 'filter' | 'terminal'

/** `of: 'backend'`: all frontends of a backend share one state if their options are the same. */
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
  /** Takes a warning for the log. */
  readonly onNotice: (text: string) => void
}
