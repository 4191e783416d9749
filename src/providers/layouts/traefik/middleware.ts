/**
 * Translates Traefik's middlewares. One that cannot be translated closes the routers that use it, because most middlewares
 * protect something. A translated middleware may still be rejected by admission, which closes the routers, too.
 */
import { quote } from '../../../model/parsed.ts'
import { parseCondition } from '../../../policy/breaking/condition.ts'
import { parseRetryPredicate } from '../../../policy/retrying/retry-predicate.ts'
import { TranslationError } from '../translation.ts'
import type { Branch } from './branch.ts'
import {
  translateBuffering,
  translateCircuitBreaker,
  translateInFlight,
  translateRateLimit,
  translateRetry,
  type RetryForm,
} from './limits.ts'

export interface MiddlewareForm {
  readonly kind: string
  readonly [option: string]: unknown
}

/** A middleware of Traefik in our form. */
export interface TranslatedMiddleware {
  /** Outermost first. */
  readonly middlewares: readonly MiddlewareForm[]
  /** Of the frontend. */
  readonly retry: RetryForm | null
  /** Of the frontend; undefined if it has no option for paths. */
  readonly paths?: 'reject' | 'normalize'
  readonly remarks: readonly string[]
}

export function translateMiddleware(branch: Branch): TranslatedMiddleware {
  branch.check()
  const [type = '', ...more] = branch.names('')
  if (more.length > 0)
    throw new TranslationError(`has several types: ${quote([type, ...more].join(', '))}`)
  const remarks: string[] = []
  const only = (middleware: MiddlewareForm): TranslatedMiddleware => {
    return { middlewares: [middleware], retry: null, remarks }
  }
  switch (type) {
    case 'headers':
      return only(translateHeaders(branch))
    case 'redirectscheme':
      return only(translateRedirectScheme(branch))
    case 'ratelimit':
      return { middlewares: translateRateLimit(branch), retry: null, remarks }
    case 'inflightreq':
      return only(translateInFlight(branch))
    case 'circuitbreaker':
      demandExpression(branch, 'circuitbreaker/expression', parseCondition)
      return only(translateCircuitBreaker(branch))
    case 'buffering': {
      demandExpression(branch, 'buffering/retryexpression', parseRetryPredicate)
      const { limits, retry } = translateBuffering(branch, remarks)
      return { middlewares: limits, retry, remarks }
    }
    case 'retry':
      return { middlewares: [], retry: translateRetry(branch, remarks), remarks }
    case 'encodedcharacters': {
      const paths = translateEncodedCharacters(branch, remarks)
      return { middlewares: [], retry: null, paths, remarks }
    }
    default:
      throw new TranslationError(`${quote(type)} is not supported yet`)
  }
}

/** Checked here, because admission would reject the router instead of closing it. */
function demandExpression(
  branch: Branch,
  name: string,
  parse: typeof parseCondition | typeof parseRetryPredicate,
): void {
  const text = branch.text(name) ?? ''
  if (text === '') return
  const parsed = parse(text)
  if (parsed.ok) return
  throw new TranslationError(`${name}: ${parsed.message} (at character ${parsed.position + 1})`)
}

function translateHeaders(branch: Branch): MiddlewareForm {
  for (const option of branch.names('headers')) {
    if (option === 'customrequestheaders' || option === 'customresponseheaders') continue
    throw new TranslationError(`${quote(`headers/${option}`)} is not supported yet`)
  }
  return {
    kind: 'headers',
    request: translateEdits(branch, 'headers/customrequestheaders'),
    response: translateEdits(branch, 'headers/customresponseheaders'),
  }
}

/** An empty value removes the header. */
function translateEdits(branch: Branch, name: string): unknown {
  const set: [string, string][] = []
  const remove: string[] = []
  for (const { segments, text } of branch.below(name)) {
    const [, , field = '', ...more] = segments
    if (more.length > 0) throw new TranslationError(`${name}: a field cannot have a / in its name`)
    if (text === '') remove.push(field)
    else set.push([field, text])
  }
  return {
    set: Object.fromEntries(set.sort(([one], [other]) => (one < other ? -1 : 1))),
    remove: remove.sort(),
  }
}

const PASSED_ALWAYS = ['semicolon', 'percent', 'questionmark', 'hash']
const ENCODED = [...PASSED_ALWAYS, 'slash', 'backslash', 'nullcharacter'].map(
  (name) => `allowencoded${name}`,
)

/** Traefik rejects each encoded character that it does not allow. Here separators are rejected or passed together, others pass. */
function translateEncodedCharacters(branch: Branch, remarks: string[]): 'reject' | 'normalize' {
  const unknown = branch.names('encodedcharacters').find((name) => !ENCODED.includes(name))
  if (unknown !== undefined) {
    throw new TranslationError(`${quote(`encodedcharacters/${unknown}`)} is not supported yet`)
  }
  const allows = (name: string): boolean => branch.flag(`encodedcharacters/allowencoded${name}`)
  const missing = PASSED_ALWAYS.find((name) => !allows(name))
  if (missing !== undefined) {
    const name = `encodedcharacters/allowencoded${missing}`
    throw new TranslationError(`${name}: must be true, what it refuses is not refused here`)
  }
  if (allows('slash') !== allows('backslash')) {
    throw new TranslationError(
      'encodedcharacters: allowEncodedSlash and -BackSlash must be the same',
    )
  }
  if (allows('nullcharacter')) remarks.push('an escaped NUL in a path is refused all the same')
  return allows('slash') ? 'normalize' : 'reject'
}

/** As in Traefik, requests with that scheme pass. */
function translateRedirectScheme(branch: Branch): MiddlewareForm {
  const scheme = branch.text('redirectscheme/scheme') ?? ''
  if (scheme !== 'https' && scheme !== 'http') {
    throw new TranslationError(`redirectscheme/scheme: must be http or https, not ${quote(scheme)}`)
  }
  const port = branch.text('redirectscheme/port') || null
  if (port !== null && (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535)) {
    throw new TranslationError(
      `redirectscheme/port: must be a port from 1 to 65535, not ${quote(port)}`,
    )
  }
  return {
    kind: 'redirect',
    scheme,
    ...(port === null ? {} : { port: Number(port) }),
    status: branch.flag('redirectscheme/permanent') ? 308 : 307,
  }
}
