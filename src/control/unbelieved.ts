/**
 * What looks at a forwarding field although no peer's are believed: the field is never there, so that a condition on it never
 * holds and all requests share one key.
 */
import { isForwarding } from '../http/fields.ts'
import type { Path } from '../model/parsed.ts'
import type { MiddlewareSpec, Snapshot } from '../model/snapshot.ts'
import { parseVariable } from '../policy/variable.ts'
import type { Expression } from '../routing/expression.ts'
import { parseRoute } from '../routing/parse.ts'

export interface Unbelieved {
  readonly kind: 'listener' | 'backend' | 'frontend'
  readonly id: string
  readonly path: Path
  readonly message: string
}

export function* findUnbelieved({
  listeners,
  backends,
  frontends,
}: Snapshot): Generator<Unbelieved> {
  for (const { id, scope } of listeners.values()) {
    if (scope !== null) yield* of('listener', id, ['scope'], namesOfRoute(scope))
  }
  for (const { id, hash } of backends.values()) {
    if (hash.from === 'header') yield* of('backend', id, ['hash', 'name'], [hash.name])
  }
  for (const { id, route, middlewares } of frontends.values()) {
    yield* of('frontend', id, ['route'], namesOfRoute(route))
    for (const spec of middlewares) {
      for (const option of ['key', 'ratesHeader'])
        yield* of('frontend', id, [spec.kind, option], namesOfOption(spec, option))
    }
  }
}

function* of(
  kind: Unbelieved['kind'],
  id: string,
  path: Path,
  names: Iterable<string>,
): Generator<Unbelieved> {
  for (const name of new Set([...names].map((one) => one.toLowerCase()))) {
    if (!isForwarding(name)) continue
    const why = `the header "${name}" is never there: it is believed from peers of the setting "trusted" only, which names none`
    yield { kind, id, path, message: `${path.join('.')}: ${why}` }
  }
}

function namesOfRoute(text: string): readonly string[] {
  const parsed = parseRoute(text)
  return parsed.ok ? namesOf(parsed.expression) : []
}

function namesOf(expression: Expression): readonly string[] {
  switch (expression.kind) {
    case 'term':
      return expression.subject === 'header' ? [expression.name] : []
    case 'not':
      return namesOf(expression.term)
    default:
      return expression.terms.flatMap(namesOf)
  }
}

function namesOfOption({ options }: MiddlewareSpec, option: string): readonly string[] {
  const value = (options as Readonly<Record<string, unknown>>)[option]
  if (typeof value !== 'string') return []
  if (option === 'ratesHeader') return [value]
  const parsed = parseVariable(value)
  return parsed.ok && parsed.variable.of === 'request.header' ? [parsed.variable.name] : []
}
