/** Translates Traefik's limits. They protect something, so an option without an exact counterpart is a fault and closes the router. */
import { formatDuration } from '../../../model/units.ts'
import { quote } from '../../../model/parsed.ts'
import { MAX_ATTEMPTS } from '../../../policy/retrying/retry.ts'
import { toRetryBuffer } from '../retry-buffer.ts'
import { TranslationError } from '../translation.ts'
import { remarkUnknown, type Branch } from './branch.ts'
import type { MiddlewareForm } from './middleware.ts'
import { readCount, readSpan, spanOr } from './read.ts'

/** Empty: 0 is no limit to it. */
export function translateRateLimit(branch: Branch): readonly MiddlewareForm[] {
  onlyThese(branch, 'ratelimit', ['average', 'period', 'burst', 'sourcecriterion'])
  const average = branch.whole('ratelimit/average')
  // In Traefik that is no limit; but it may also be a limit whose keys have expired.
  if (average === null) throw new TranslationError('ratelimit/average is missing; 0 is no limit')
  if (average < 0) throw new TranslationError('ratelimit/average: must not be negative')
  if (average === 0) return []
  const burst = branch.whole('ratelimit/burst') ?? 1
  if (burst < 0) throw new TranslationError('ratelimit/burst: must not be negative')
  return [
    {
      kind: 'ratelimit',
      requests: average,
      period: spanOr(branch, 'ratelimit/period', '1s'),
      burst: Math.max(burst, 1),
      key: readCriterion(branch, 'ratelimit/sourcecriterion') ?? address(null),
    },
  ]
}

/** Traefik's default is to count requests by host. */
export function translateInFlight(branch: Branch): MiddlewareForm {
  onlyThese(branch, 'inflightreq', ['amount', 'sourcecriterion'])
  const connections = readCount(branch, 'inflightreq/amount')
  if (connections === null) throw new TranslationError('inflightreq/amount is missing')
  const key = readCriterion(branch, 'inflightreq/sourcecriterion') ?? 'request.host'
  return { kind: 'connlimit', connections, key }
}

/** As one of Sluice's variables; null if none is configured. */
function readCriterion(branch: Branch, name: string): string | null {
  onlyThese(branch, name, ['ipstrategy', 'requestheadername', 'requesthost'])
  const header = branch.text(`${name}/requestheadername`) ?? ''
  const found = [
    ...(header === '' ? [] : [`request.header.${header}`]),
    ...(branch.flag(`${name}/requesthost`) ? ['request.host'] : []),
    ...(branch.names(name).includes('ipstrategy')
      ? [readAddress(branch, `${name}/ipstrategy`)]
      : []),
  ]
  if (found.length > 1)
    throw new TranslationError(`${name}: must be one of ipstrategy, requestheadername, requesthost`)
  return found[0] ?? null
}

function readAddress(branch: Branch, name: string): string {
  onlyThese(branch, name, ['depth', 'ipv6subnet'])
  const depth = branch.whole(`${name}/depth`) ?? 0
  if (depth !== 0) {
    throw new TranslationError(
      `${name}/depth is not supported: only the address that connects is used`,
    )
  }
  return address(branch.whole(`${name}/ipv6subnet`))
}

/** The whole address, unless a prefix length is given; IPv6 clients are counted by network here. */
function address(prefix: number | null): string {
  return `client.ip/${prefix ?? 128}`
}

export function translateCircuitBreaker(branch: Branch): MiddlewareForm {
  const at = 'circuitbreaker'
  const known = [
    'expression',
    'checkperiod',
    'fallbackduration',
    'recoveryduration',
    'responsecode',
  ]
  onlyThese(branch, at, known)
  const condition = branch.text(`${at}/expression`) ?? ''
  if (condition === '') throw new TranslationError(`${at}/expression is missing`)
  const status = branch.whole(`${at}/responsecode`) ?? 503
  return {
    kind: 'breaker',
    condition,
    // Traefik has no minimum number of responses.
    requests: 0,
    check: spanOr(branch, `${at}/checkperiod`, '100ms'),
    tripped: spanOr(branch, `${at}/fallbackduration`, '10s'),
    recovery: spanOr(branch, `${at}/recoveryduration`, '10s'),
    fallback: { respond: { status } },
  }
}

/** Limits and retries of one frontend, from buffering and retry. */
export interface RetryForm {
  readonly [option: string]: unknown
}

/** Bodies are streamed here; only those for retries are kept. */
export function translateBuffering(
  branch: Branch,
  remarks: string[],
): { readonly limits: readonly MiddlewareForm[]; readonly retry: RetryForm | null } {
  const at = 'buffering'
  const known = [
    'maxrequestbodybytes',
    'memrequestbodybytes',
    'memresponsebodybytes',
    'retryexpression',
  ]
  onlyThese(branch, at, known)
  const size = atLeastZero(branch, `${at}/maxrequestbodybytes`)
  const memory = atLeastZero(branch, `${at}/memrequestbodybytes`)
  const when = branch.text(`${at}/retryexpression`) ?? ''
  const buffer = toRetryBuffer(memory, `${at}/memrequestbodybytes`, remarks)
  if (atLeastZero(branch, `${at}/memresponsebodybytes`) > 0) {
    remarks.push(`${at}/memresponsebodybytes is not honoured: responses are streamed`)
  }
  return {
    limits: size === 0 ? [] : [{ kind: 'bodylimit', size }],
    retry: when === '' ? null : { attempts: MAX_ATTEMPTS, when, buffer },
  }
}

/** Protects nothing, unlike the others, so an option without effect is only remarked. */
export function translateRetry(branch: Branch, remarks: string[]): RetryForm {
  const written = readCount(branch, 'retry/attempts')
  if (written === null) throw new TranslationError('retry/attempts is missing')
  if (written > MAX_ATTEMPTS) remarks.push(`retry/attempts: ${MAX_ATTEMPTS} is the most`)
  const known = ['', 'attempts', 'initialinterval']
  const others = branch.names('retry').filter((name) => !known.includes(name))
  remarks.push(...remarkUnknown(others.map((name) => `retry/${name}`)))
  const attempts = Math.min(written, MAX_ATTEMPTS)
  const backoff = readSpan(branch, 'retry/initialinterval') ?? 0
  const waits = attempts > 1 && backoff > 0
  return { attempts, ...(waits ? { backoff: formatDuration(backoff) } : {}) }
}

function atLeastZero(branch: Branch, name: string): number {
  const found = branch.whole(name) ?? 0
  if (found >= 0) return found
  throw new TranslationError(`${name}: must not be negative`)
}

/** Throws for any other member. */
export function onlyThese(branch: Branch, below: string, known: readonly string[]): void {
  for (const name of branch.names(below)) {
    if (name !== '' && !known.includes(name)) {
      throw new TranslationError(`${quote(`${below}/${name}`)} is not supported yet`)
    }
  }
}
