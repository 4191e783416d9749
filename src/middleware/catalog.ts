/** Every kind of middleware, one line each. Admission validates options here; the data plane compiles what it admitted. */
import type { MiddlewareSpec } from '../model/snapshot.ts'
import { adaptive } from './adaptive.ts'
import { bodylimit } from './bodylimit.ts'
import { breaker } from './breaker.ts'
import { connlimit } from './connlimit.ts'
import { headers } from './headers.ts'
import { inflight } from './inflight.ts'
import type {
  Middleware,
  MiddlewareKind,
  MiddlewareState,
  ParsedOptions,
  CompileContext,
} from './middleware.ts'
import { ratelimit } from './ratelimit.ts'
import { redirect } from './redirect.ts'
import { respond } from './respond.ts'

/** A kind with its options' type closed over. */
interface Entry {
  readonly parse: (options: unknown) => ParsedOptions<unknown>
  readonly compile: (options: unknown, context: CompileContext) => Middleware
  readonly prepare: (options: unknown) => Promise<unknown> | null
  readonly state: MiddlewareState | null
  readonly identity: (options: unknown) => unknown
  readonly named: (options: unknown) => readonly string[]
  readonly renamed: (options: unknown, rename: (name: string) => string) => unknown
}

const CATALOG: ReadonlyMap<string, Entry> = new Map(
  [
    entry(adaptive),
    entry(bodylimit),
    entry(breaker),
    entry(connlimit),
    entry(headers),
    entry(inflight),
    entry(ratelimit),
    entry(redirect),
    entry(respond),
  ].map(([kind, one]) => [kind, one]),
)

function entry<T>(one: MiddlewareKind<T>): [string, Entry] {
  const { kind, parse, prepare, compile, state, identity, backends } = one
  // Parsed once, at admission. A second parse could refuse what admission itself has changed since: a backend's name grows
  // by its source's.
  const admitted = (options: unknown): T => options as T

  return [
    kind,
    {
      parse,
      compile: (options, context) => compile(admitted(options), context),
      prepare: (options) => prepare?.(admitted(options)) ?? null,
      state: state ?? null,
      identity: (options) => (identity === undefined ? options : identity(admitted(options))),
      named: (options) => backends?.named(admitted(options)) ?? [],
      renamed: (options, rename) => backends?.renamed(admitted(options), rename) ?? options,
    },
  ]
}

/** The spec with every default filled, or what is wrong with it. */
export function parseMiddleware(spec: MiddlewareSpec): ParsedOptions<MiddlewareSpec> {
  const found = CATALOG.get(spec.kind)
  if (found === undefined) {
    const known = [...CATALOG.keys()].join(', ')
    return { ok: false, message: `there is no middleware "${spec.kind}"; there are ${known}` }
  }
  const parsed = found.parse(spec.options)
  return parsed.ok ? { ok: true, value: { kind: spec.kind, options: parsed.value } } : parsed
}

// Of specs that were admitted.

/** What has to be awaited in a thread before it compiles it; null: nothing. Does not throw: `compileMiddleware` would, too. */
export function prepareMiddleware({ kind, options }: MiddlewareSpec): Promise<unknown> | null {
  try {
    return CATALOG.get(kind)?.prepare(options) ?? null
  } catch {
    return null
  }
}

export function compileMiddleware(
  { kind, options }: MiddlewareSpec,
  context: CompileContext,
): Middleware {
  return admitted(kind).compile(options, context)
}

/** What it remembers in, and whose that is; null when it does not. */
export function stateOfMiddleware({ kind }: MiddlewareSpec): MiddlewareState | null {
  return admitted(kind).state
}

/** What it is known by, besides its owner: with another one it begins anew. */
export function identityOfMiddleware({ kind, options }: MiddlewareSpec): string {
  return JSON.stringify([kind, admitted(kind).identity(options)])
}

/** The backends that it names. */
export function backendsOfMiddleware({ kind, options }: MiddlewareSpec): readonly string[] {
  return admitted(kind).named(options)
}

/** The same with other names for the backends. */
export function renameBackends(
  { kind, options }: MiddlewareSpec,
  rename: (name: string) => string,
): MiddlewareSpec {
  return { kind, options: admitted(kind).renamed(options, rename) }
}

function admitted(kind: string): Entry {
  const found = CATALOG.get(kind)
  if (found === undefined) throw new Error(`middleware ${kind} was admitted but is not known`)
  return found
}
