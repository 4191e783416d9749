/**
 * Every kind of middleware, one line each, outermost first: the order in which a frontend's short forms are run, however they are
 * written. trace is outside of all, so that it sees what they respond, and gRPC-Web next, so that its clients can read that. Cheap refusals come first. The breaker comes last of the limits, so that it counts responses of servers and no
 * refusals. URLs and request fields are edited behind all limits, whose keys are what the client sent.
 *
 * Specs given to these functions were admitted: their options are those of their kind, parsed (see schema/middleware.ts).
 */
import type { MiddlewareSpec } from '../model/snapshot.ts'
import { adaptive } from './adaptive.ts'
import { bodylimit } from './bodylimit.ts'
import { breaker } from './breaker.ts'
import { clientcert } from './clientcert.ts'
import { connlimit } from './connlimit.ts'
import { forwarded } from './forwarded.ts'
import { grpcWeb } from './grpc-web.ts'
import { headers } from './headers.ts'
import { inflight } from './inflight.ts'
import type {
  CompileContext,
  Middleware,
  MiddlewareKind,
  MiddlewareRole,
  MiddlewareState,
} from './middleware.ts'
import { ratelimit } from './ratelimit.ts'
import { redirect } from './redirect.ts'
import { respond } from './respond.ts'
import { rewrite } from './rewrite.ts'
import { trace } from './trace.ts'

export const MIDDLEWARES: readonly MiddlewareKind<unknown>[] = [
  trace,
  grpcWeb,
  clientcert,
  ratelimit,
  connlimit,
  bodylimit,
  inflight,
  adaptive,
  breaker,
  rewrite,
  forwarded,
  headers,
  respond,
  redirect,
]

const BY_NAME = new Map(MIDDLEWARES.map((one) => [one.kind, one]))

export function isMiddlewareKind(name: string): boolean {
  return BY_NAME.has(name)
}

/**
 * Loads what `compileMiddleware` needs in this thread; null: nothing. Does not throw: compileMiddleware throws for the same
 * reason.
 */
export function prepareMiddleware({ kind, options }: MiddlewareSpec): Promise<unknown> | null {
  try {
    return BY_NAME.get(kind)?.prepare?.(options) ?? null
  } catch {
    return null
  }
}

export function compileMiddleware(
  { kind, options }: MiddlewareSpec,
  context: CompileContext,
): Middleware {
  return kindOf(kind).compile(options, context)
}

/** Where it keeps its state, and whose state that is; null: it has none. */
export function stateOfMiddleware({ kind }: MiddlewareSpec): MiddlewareState | null {
  return kindOf(kind).state ?? null
}

/** What its state is known by, besides its owner. A spec with another identity begins with a new state. */
export function identityOfMiddleware({ kind, options }: MiddlewareSpec): string {
  const { identity } = kindOf(kind)
  return JSON.stringify([kind, identity === undefined ? options : identity(options)])
}

/** Which requests it responds to by itself. */
export function roleOf({ kind, options }: MiddlewareSpec): MiddlewareRole {
  return kindOf(kind).role?.(options) ?? 'filter'
}

/** It responds to every request, so that nothing behind it is reached. */
export function isTerminal(spec: MiddlewareSpec): boolean {
  return roleOf(spec) === 'terminal'
}

/** A short form of a frontend: what of it goes outside of all middlewares, and what goes to its place. */
export function splitShortForm(spec: MiddlewareSpec): {
  readonly outer: MiddlewareSpec | null
  readonly inner: MiddlewareSpec | null
} {
  const { kind } = spec
  const split = kindOf(kind).split?.(spec.options)
  if (split === undefined) return { outer: null, inner: spec }
  const toSpec = (options: unknown): MiddlewareSpec | null =>
    options === null ? null : { kind, options }
  return { outer: toSpec(split.outer), inner: toSpec(split.inner) }
}

/** Request headers that its options name, by the option. */
export function headersOfMiddleware({
  kind,
  options,
}: MiddlewareSpec): Readonly<Record<string, string>> {
  return kindOf(kind).readsHeaders?.(options) ?? {}
}

/** The backends that it names. */
export function backendsOfMiddleware({ kind, options }: MiddlewareSpec): readonly string[] {
  return kindOf(kind).backends?.named(options) ?? []
}

/** The same with other names for the backends. */
export function renameBackends(
  { kind, options }: MiddlewareSpec,
  rename: (name: string) => string,
): MiddlewareSpec {
  return { kind, options: kindOf(kind).backends?.renamed(options, rename) ?? options }
}

function kindOf(kind: string): MiddlewareKind<unknown> {
  const found = BY_NAME.get(kind)
  if (found === undefined) throw new Error(`middleware ${kind} was admitted but is not known`)
  return found
}
