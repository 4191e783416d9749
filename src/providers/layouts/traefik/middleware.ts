/**
 * Translates Traefik's middlewares. One that cannot be translated closes the routers that use it, because most middlewares
 * protect something. A translated middleware may still be rejected by admission, which closes the routers, too.
 */
import { quote } from '../../../model/parsed.ts'
import { parseCondition } from '../../../policy/breaking/condition.ts'
import { parseRetryPredicate } from '../../../policy/retrying/retry-predicate.ts'
import { TranslationError } from '../translation.ts'
import type { Branch } from './branch.ts'
import { translateHeaders } from './headers.ts'
import {
  onlyThese,
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

/** A middleware of Traefik in the form of Sluice. */
export interface TranslatedMiddleware {
  /** Outermost first. */
  readonly middlewares: readonly MiddlewareForm[]
  /** Of the frontend. */
  readonly retry: RetryForm | null
  /** Of the frontend; undefined if it has no option for paths. */
  readonly paths?: 'reject' | 'normalize'
  /** Of the frontend: a request must satisfy all of them. */
  readonly clients?: readonly AllowedClients[]
  readonly remarks: readonly string[]
}

export interface AllowedClients {
  /** Addresses and blocks. */
  readonly ranges: readonly string[]
  /** Of the response to others. */
  readonly status: number
}

/** They guard nothing and change no request, so that a router without them still does what it is for. */
const HARMLESS = ['compress', 'contenttype', 'errors']

/** `resolve` translates the middlewares that a chain names. */
export function translateMiddleware(
  branch: Branch,
  resolve: (name: string) => TranslatedMiddleware,
): TranslatedMiddleware {
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
      return only(translateHeaders(branch, remarks))
    case 'redirectscheme':
      return only(translateRedirectScheme(branch))
    case 'redirectregex':
      return only(translateRedirectRegex(branch))
    case 'ipallowlist':
    case 'ipwhitelist':
      return { middlewares: [], retry: null, clients: [translateAllowList(branch, type)], remarks }
    case 'chain':
      return joinChain(branch.list('chain/middlewares').map(resolve))
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
    case 'grpcweb':
      return only(translateGrpcWeb(branch))
    case 'retry':
      return { middlewares: [], retry: translateRetry(branch, remarks), remarks }
    case 'encodedcharacters': {
      const paths = translateEncodedCharacters(branch, remarks)
      return { middlewares: [], retry: null, paths, remarks }
    }
    default:
      if (!HARMLESS.includes(type))
        throw new TranslationError(`${quote(type)} is not supported yet`)
      return {
        middlewares: [],
        retry: null,
        remarks: [`middleware ${quote(type)} is not honoured`],
      }
  }
}

function joinChain(parts: readonly TranslatedMiddleware[]): TranslatedMiddleware {
  const [retry, ...more] = parts.flatMap((one) => (one.retry === null ? [] : [one.retry]))
  const paths = parts.flatMap((one) => one.paths ?? [])
  const remarks = parts.flatMap((one) => one.remarks)
  if (more.length > 0) remarks.push('a second middleware that retries is not honoured')
  return {
    middlewares: parts.flatMap((one) => one.middlewares),
    retry: retry ?? null,
    ...(paths.length === 0 ? {} : { paths: paths.includes('reject') ? 'reject' : 'normalize' }),
    clients: parts.flatMap((one) => one.clients ?? []),
    remarks,
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

/** Only the exchange of `http` for `https` on the same URL; for everything else a redirect here needs another form. */
function translateRedirectRegex(branch: Branch): MiddlewareForm {
  const regex = branch.text('redirectregex/regex') ?? ''
  const replacement = branch.text('redirectregex/replacement') ?? ''
  const isToHttps = /^\^http:\/\/\(\.[*+]\)\$?$/.test(regex)
  if (!isToHttps || !/^https:\/\/(?:\$1|\$?\$\{1\})$/.test(replacement)) {
    throw new TranslationError('"redirectregex" is supported from ^http://(.*) to https://$1 only')
  }
  return {
    kind: 'redirect',
    scheme: 'https',
    status: branch.flag('redirectregex/permanent') ? 308 : 307,
  }
}

/** As a condition of the route, because it is about the address of the client. */
function translateAllowList(branch: Branch, at: string): AllowedClients {
  onlyThese(branch, at, ['sourcerange', 'ipstrategy', 'rejectstatuscode'])
  onlyThese(branch, `${at}/ipstrategy`, [])
  const ranges = branch.list(`${at}/sourcerange`)
  if (ranges.length === 0) throw new TranslationError(`${at}/sourcerange is missing`)
  const status = branch.whole(`${at}/rejectstatuscode`) ?? 0
  if (status !== 0 && (status < 200 || status > 599)) {
    throw new TranslationError(`${at}/rejectstatuscode: must be from 200 to 599, not ${status}`)
  }
  return { ranges, status: status === 0 ? 403 : status }
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

function translateGrpcWeb(branch: Branch): MiddlewareForm {
  onlyThese(branch, 'grpcweb', ['alloworigins'])
  return { kind: 'grpcWeb', allowOrigins: branch.list('grpcweb/alloworigins') }
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
