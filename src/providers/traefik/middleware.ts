/**
 * Traefik's middlewares in ours. One that cannot be honoured faults the router that names it: most of them guard something,
 * and a guard that is missing must not open a door.
 */
import { quote } from '../../model/parsed.ts'
import { parseCondition } from '../../policy/condition.ts'
import { parseFailover } from '../../policy/failover.ts'
import { ValueFault } from '../value-fault.ts'
import type { Branch } from './branch.ts'
import {
  translateBuffering,
  translateCircuitBreaker,
  translateInFlight,
  translateRateLimit,
  translateRetry,
  type RetryForm,
} from './limits.ts'

/** What a middleware may have to know of the router that it stands in. */
export interface Around {
  /** The one host that is asked for, or null. */
  readonly host: string | null
  /** Traefik sends only requests in the clear there, from listeners that are named. */
  readonly isPlain: boolean
}

export interface MiddlewareForm {
  readonly kind: string
  readonly [option: string]: unknown
}

/** What one of its middlewares is here. */
export interface TranslatedMiddleware {
  /** Outermost first. */
  readonly middlewares: readonly MiddlewareForm[]
  /** Of the frontend. */
  readonly retry: RetryForm | null
  readonly remarks: readonly string[]
}

export function translateMiddleware(branch: Branch, around: Around): TranslatedMiddleware {
  const [type = '', ...more] = branch.names('')
  if (more.length > 0)
    throw new ValueFault(`has several types: ${quote([type, ...more].join(', '))}`)
  const remarks: string[] = []
  const only = (middleware: MiddlewareForm): TranslatedMiddleware => {
    return { middlewares: [middleware], retry: null, remarks }
  }
  switch (type) {
    case 'headers':
      return only(translateHeaders(branch))
    case 'redirectscheme':
      return only(translateRedirectScheme(branch, around))
    case 'ratelimit':
      return { middlewares: translateRateLimit(branch), retry: null, remarks }
    case 'inflightreq':
      return only(translateInFlight(branch))
    case 'circuitbreaker':
      demandExpression(branch, 'circuitbreaker/expression', parseCondition)
      return only(translateCircuitBreaker(branch))
    case 'buffering': {
      demandExpression(branch, 'buffering/retryexpression', parseFailover)
      const { limits, retry } = translateBuffering(branch, remarks)
      return { middlewares: limits, retry, remarks }
    }
    case 'retry':
      return { middlewares: [], retry: translateRetry(branch, remarks), remarks }
    default:
      throw new ValueFault(`${quote(type)} is not supported yet`)
  }
}

/** Left to admission, one that is wrong would set the router aside, and not close it. */
function demandExpression(
  branch: Branch,
  name: string,
  parse: typeof parseCondition | typeof parseFailover,
): void {
  const text = branch.text(name) ?? ''
  if (text === '') return
  const parsed = parse(text)
  if (parsed.ok) return
  throw new ValueFault(`${name}: ${parsed.message} (at character ${parsed.position + 1})`)
}

function translateHeaders(branch: Branch): MiddlewareForm {
  for (const option of branch.names('headers')) {
    if (option === 'customrequestheaders' || option === 'customresponseheaders') continue
    throw new ValueFault(`${quote(`headers/${option}`)} is not supported yet`)
  }
  return {
    kind: 'headers',
    request: translateEdits(branch, 'headers/customrequestheaders'),
    response: translateEdits(branch, 'headers/customresponseheaders'),
  }
}

/** An empty value takes the field away. */
function translateEdits(branch: Branch, name: string): unknown {
  const set: [string, string][] = []
  const remove: string[] = []
  for (const { segments, text } of branch.below(name)) {
    const [, , field = '', ...more] = segments
    if (more.length > 0) throw new ValueFault(`${name}: a field cannot have a / in its name`)
    if (text === '') remove.push(field)
    else set.push([field, text])
  }
  return {
    set: Object.fromEntries(set.sort(([one], [other]) => (one < other ? -1 : 1))),
    remove: remove.sort(),
  }
}

/**
 * It sends on what already came by the scheme asked for. That cannot be told apart here, so it is taken only where all
 * requests are in the clear, and where the host to send them to is known.
 */
function translateRedirectScheme(branch: Branch, { host, isPlain }: Around): MiddlewareForm {
  const scheme = branch.text('redirectscheme/scheme') ?? ''
  const port = branch.text('redirectscheme/port') ?? ''
  if (scheme !== 'https')
    throw new ValueFault(`redirects to ${quote(scheme)}, only https is supported`)
  if (!isPlain)
    throw new ValueFault('redirectscheme needs a router with entrypoints and without tls')
  if (host === null) throw new ValueFault('redirectscheme needs a rule with exactly one Host')
  return {
    kind: 'redirect',
    to: `https://${host}${port === '' || port === '443' ? '' : `:${port}`}`,
    status: branch.flag('redirectscheme/permanent') ? 308 : 307,
    keepPath: true,
  }
}
