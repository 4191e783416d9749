/** Every kind of middleware, one line each. Admission validates options here; the data plane compiles what it admitted. */
import type { MiddlewareSpec } from '../model/snapshot.ts'
import { headers } from './headers.ts'
import type { Middleware, MiddlewareKind, ParsedOptions } from './middleware.ts'
import { redirect } from './redirect.ts'
import { respond } from './respond.ts'

/** A kind with its options' type closed over. */
interface Entry {
  readonly parse: (options: unknown) => ParsedOptions<unknown>
  readonly compile: (options: unknown) => Middleware
}

const CATALOG: ReadonlyMap<string, Entry> = new Map(
  [entry(headers), entry(redirect), entry(respond)].map(([kind, one]) => [kind, one]),
)

function entry<T>({ kind, parse, compile }: MiddlewareKind<T>): [string, Entry] {
  return [
    kind,
    {
      parse,
      compile(options) {
        const parsed = parse(options)
        if (!parsed.ok)
          throw new Error(`middleware ${kind} was admitted with bad options: ${parsed.message}`)
        return compile(parsed.value)
      },
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

/** Of a spec that was admitted. */
export function compileMiddleware(spec: MiddlewareSpec): Middleware {
  const found = CATALOG.get(spec.kind)
  if (found === undefined) throw new Error(`middleware ${spec.kind} was admitted but is not known`)
  return found.compile(spec.options)
}
