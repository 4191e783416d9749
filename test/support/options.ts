/** Options of a kind of middleware, as admission parses them. */
import type { MiddlewareKind } from '../../src/middleware/middleware.ts'
import { parseWith } from '../../src/options/parse.ts'
import * as vocabulary from '../../src/options/vocabulary.ts'

export type ParsedOptions<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly message: string }

/** `message`: the first problem. */
export function parseOptions<T>(kind: MiddlewareKind<T>, options: unknown): ParsedOptions<T> {
  const parsed = parseWith(kind.options(vocabulary), options)
  return parsed.ok ? parsed : { ok: false, message: parsed.problems[0]?.message ?? '' }
}

/** Of each kind, options with which a GET passes, or is responded to with a status below 400. */
export const LEAST_OPTIONS: Readonly<Record<string, object>> = {
  trace: { to: 'syslog://127.0.0.1:514' },
  grpcWeb: {},
  ratelimit: { requests: 1000 },
  clientcert: {},
  connlimit: { connections: 10 },
  bodylimit: { size: '1KiB' },
  inflight: { requests: 10 },
  adaptive: {},
  breaker: { condition: 'NetworkErrorRatio() > 0.5' },
  rewrite: { regexp: '^', replacement: '' },
  forwarded: {},
  headers: {},
  respond: { status: 204 },
  redirect: { to: '/' },
}
