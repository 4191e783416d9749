/** The seam of the middlewares. A kind is one file and one line in catalog.ts; a route without any pays nothing. */
import type { AnswerHead } from '../http/answer-head.ts'
import type { OwnAnswer } from '../http/answer.ts'
import type { Exchange } from '../http/exchange.ts'

/** Compiled for one route. Outermost first on the way in, last on the way out. */
export interface Middleware {
  /** Looks at a request before it is forwarded, and may edit it; an answer ends it here. */
  readonly onRequest?: (exchange: Exchange) => OwnAnswer | null
  /** Edits the head of a server's answer on its way to the client. */
  readonly onAnswer?: (exchange: Exchange, head: AnswerHead) => void
}

export type ParsedOptions<T> = { ok: true; value: T } | { ok: false; message: string }

export interface MiddlewareKind<T> {
  readonly kind: string
  /** Options as declared: unknown in, every default filled, or what is wrong with them. */
  readonly parse: (options: unknown) => ParsedOptions<T>
  readonly compile: (options: T) => Middleware
}
