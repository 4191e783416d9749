/**
 * Finds conditions and keys on forwarding headers (X-Forwarded-For ...) for a configuration without trusted peers. There the
 * header is always absent, so that a condition on it never holds and all requests share one key.
 */
import { isForwarding } from '../../http/message/fields.ts'
import { headersOfMiddleware } from '../../middleware/catalog.ts'
import { flaw, type Flaw, type Path } from '../../model/parsed.ts'
import type { Backend, Frontend, Listener, MiddlewareSpec } from '../../model/snapshot.ts'
import type { ObjectKind } from '../../model/names.ts'
import type { Expression } from '../../routing/expression.ts'
import { parseRoute } from '../../routing/parse.ts'
import { headersOfBalancer } from '../../upstream/balancing/balancer.ts'
import type { MiddlewarePart } from './parse-objects.ts'

/** `object`: an admitted object of the kind. */
export function findUntrustedHeaders(kind: ObjectKind, object: unknown): readonly Flaw[] {
  switch (kind) {
    case 'listener': {
      const { scope } = object as Listener
      return scope === null ? NONE : ofRoute('scope', scope)
    }
    case 'backend': {
      const backend = object as Backend
      return ofOptions(headersOfBalancer(backend), [backend.balance])
    }
    case 'frontend': {
      const { protocol, route, middlewares } = object as Frontend
      if (protocol === 'tcp') return NONE
      const flaws = ofRoute('route', route)
      if (middlewares.length === 0) return flaws
      return [...flaws, ...middlewares.flatMap(ofMiddleware)]
    }
    case 'middleware':
      return ofOptions(headersOfMiddleware((object as MiddlewarePart).spec), [])
    default:
      return NONE
  }
}

const NONE: readonly Flaw[] = []

function flawsOf(path: Path, names: readonly string[]): readonly Flaw[] {
  return [...new Set(names)]
    .filter((name) => isForwarding(name.toLowerCase()))
    .map((name) =>
      flaw(
        path,
        `the header "${name}" is always absent: it is accepted only from peers that the setting "trusted" names, and it names none`,
      ),
    )
}

/** A cheap test before parsing: there may be 100,000 routes, and few name such a header. */
const MAY_NAME_FORWARDING = /forwarded|x[-_]re/i

function ofRoute(member: string, text: string): readonly Flaw[] {
  return MAY_NAME_FORWARDING.test(text) ? flawsOf([member], namesOfRoute(text)) : NONE
}

function ofMiddleware(spec: MiddlewareSpec): readonly Flaw[] {
  return ofOptions(headersOfMiddleware(spec), [spec.kind])
}

function ofOptions(headers: Readonly<Record<string, string>>, path: Path): readonly Flaw[] {
  return Object.entries(headers).flatMap(([option, name]) => flawsOf([...path, option], [name]))
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
