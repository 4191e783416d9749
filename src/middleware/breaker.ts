/**
 * Stops sending requests of a frontend to its servers for a while when too many of them fail:
 * `breaker: { condition: 'NetworkErrorRatio() > 0.5', tripped: 10s, fallback: { backend: spare } }`.
 *
 * The control plane decides the state (policy/breaking/breaker.ts). A request reads from the slot whether it passes, and is
 * counted there when it has ended. Responses of the fallback are not counted.
 */
import type { ZodType } from 'zod'
import { errorResponse, type LocalResponse } from '../http/message/local-response.ts'
import { ExchangeError } from '../http/message/errors.ts'
import type { Exchange } from '../http/exchange.ts'
import { formatDuration, toMs } from '../model/units.ts'
import type { BreakerSpec, WebHook } from '../model/snapshot.ts'
import type { Vocabulary } from '../options/vocabulary.ts'
import { type Condition, countResponse, parseCondition } from '../policy/breaking/condition.ts'
import { addPermit, releasePermit, IN_FLIGHT } from '../policy/limiting/permits.ts'
import { takesRequest } from '../policy/traffic-share.ts'
import { SHARED } from '../scoreboard/layout.ts'
import { sharedAdd, sharedLoad } from '../scoreboard/scoreboard.ts'
import type { UseBackend, MiddlewareKind, ExchangeOutcome } from './middleware.ts'
import { compileRedirect, redirectOptions, type RedirectTo, withStatusAsBody } from './redirect.ts'
import { compileRespond, type RespondOptions, respondOptions } from './respond.ts'

interface BreakerOptions {
  readonly condition: string
  readonly requests: number
  /** Durations are text, as the API shows them. */
  readonly check: string
  readonly tripped: string
  readonly recovery: string
  readonly onTripped: WebHook | null
  readonly onStandby: WebHook | null
  readonly fallback: Fallback | null
}

/** Exactly one is present. */
interface Fallback {
  readonly respond?: RespondOptions | undefined
  readonly redirect?: RedirectTo | undefined
  readonly backend?: string | undefined
}

export const breaker: MiddlewareKind<BreakerOptions> = {
  kind: 'breaker',
  options(words) {
    const form = words.meaning(
      words.strict(
        { ...words.breakerShape, fallback: words.orNull(fallbackOption(words)) },
        'Stops sending requests to the backend for a while when too many of them fail.',
      ),
      (written, complain) => {
        const parsed = parseCondition(written.condition)
        if (!parsed.ok)
          complain(`${parsed.message} (at character ${parsed.position + 1})`, ['condition'])
        return written
      },
    )
    return form.transform((written) => ({
      ...written,
      check: formatDuration(written.check),
      tripped: formatDuration(written.tripped),
      recovery: formatDuration(written.recovery),
    }))
  },
  state: { in: 'slot', of: 'frontend' },
  // The condition decides what its slot counts. Other options may change and keep the state.
  identity: ({ condition }) => condition,
  backends: {
    named: ({ fallback }) => (fallback?.backend === undefined ? [] : [fallback.backend]),
    renamed: (options, rename) => {
      const { fallback } = options
      if (fallback?.backend === undefined) return options
      return { ...options, fallback: { backend: rename(fallback.backend) } }
    },
  },
  compile(options, { slot }) {
    const { counters } = conditionOf(options)
    const fallBack = compileFallback(options)
    const tripped = `the breaker ${options.condition} is tripped`
    const recovering = `the breaker ${options.condition} is recovering`
    // One function for all requests: no allocation for each.
    const countEnd = ({ status, headMs, isClientsFault }: ExchangeOutcome): void => {
      releasePermit(slot, IN_FLIGHT)
      if (!isClientsFault) countResponse(counters, slot, status, headMs)
    }
    return {
      onRequest(exchange, context) {
        const trafficShare = sharedLoad(slot, SHARED.trafficShare)
        if (trafficShare !== 0) {
          if (trafficShare < 0) return fallBack(exchange, tripped)
          const ticket = sharedAdd(slot, SHARED.ticket, 1)
          if (!takesRequest(trafficShare, ticket)) return fallBack(exchange, recovering)
        }
        // A slot with requests in flight is not reused for another breaker.
        addPermit(slot, IN_FLIGHT)
        context.onEnd(countEnd)
        return null
      },
    }
  },
}

function fallbackOption(words: Vocabulary): ZodType<Fallback> {
  const { strict, meaning, reference } = words
  return meaning(
    strict(
      {
        respond: respondOptions(words, 503).optional().meta({
          description:
            'A response with the options of the middleware respond; status is 503 by default.',
        }),
        // Not a permanent one: browsers would remember it after the servers have recovered.
        redirect: redirectOptions(words, 302).optional().meta({
          description:
            'A redirect with "to", keepPath, status and permanent; status is 302 by default.',
        }),
        backend: reference('The id of another backend.').optional(),
      },
      'What responds while it is tripped: one of respond, redirect and backend; a 503 without it.',
    ),
    (form, complain) => {
      if (Object.values(form).filter((one) => one !== undefined).length !== 1)
        complain('must say one of respond, redirect and backend', [])
      return form
    },
  )
}

/** What the control plane runs, from options that were admitted. */
export function breakerSpecOf(options: unknown): BreakerSpec {
  const { condition, requests, check, tripped, recovery, onTripped, onStandby } =
    options as BreakerOptions
  return {
    condition,
    requests,
    checkMs: toMs(check),
    fallbackMs: toMs(tripped),
    recoveryMs: toMs(recovery),
    onTripped,
    onStandby,
  }
}

function conditionOf(options: BreakerOptions): Condition {
  const parsed = parseCondition(options.condition)
  if (parsed.ok) return parsed.condition
  throw new Error(`a breaker was admitted with a bad condition: ${parsed.message}`)
}

/** `detail` is for the access log: the breaker and its state. */
type FallBack = (exchange: Exchange, detail: string) => LocalResponse | UseBackend

function compileFallback({ fallback, tripped }: BreakerOptions): FallBack {
  if (fallback?.backend !== undefined) {
    const useBackend = { useBackend: fallback.backend }
    return (exchange, detail) => {
      exchange.detail = detail
      return useBackend
    }
  }
  if (fallback?.redirect !== undefined) {
    const redirectFor = compileRedirect(fallback.redirect)
    // Without the query, as vulcand's PreservePath.
    return (exchange, detail) =>
      breakerResponse(withStatusAsBody(redirectFor(exchange, exchange.to.path)), detail)
  }
  const response =
    fallback?.respond === undefined ? refusal(tripped) : compileRespond(fallback.respond)
  return (_exchange, detail) => breakerResponse(response, detail)
}

function breakerResponse(response: LocalResponse, detail: string): LocalResponse {
  return { ...response, reason: 'BREAKER_OPEN', detail }
}

function refusal(tripped: string): LocalResponse {
  const seconds = Math.max(1, Math.ceil(toMs(tripped) / 1000))
  const response = errorResponse(new ExchangeError('BREAKER_OPEN', ''))
  return { ...response, fields: `Retry-After: ${seconds}\r\n` }
}
