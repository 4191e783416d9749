import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adaptive, adaptiveSpecOf } from '../../src/middleware/adaptive.ts'
import type { Middleware } from '../../src/middleware/middleware.ts'
import { COUNT, SHARED } from '../../src/scoreboard/layout.ts'
import type { Exchange } from '../../src/http/exchange.ts'
import {
  ask,
  createMiddlewareContext,
  openThreads,
  localResponse,
  requestOf,
  type ScriptedContext,
  type Threads,
} from '../support/middleware-context.ts'
import { parseOptions } from '../support/options.ts'

interface Limited extends Threads {
  enter(thread: number, exchange?: Exchange): ScriptedContext | null
  /** What the control plane reads. */
  sums(): { readonly answered: number; readonly headMs: number; readonly inFlight: number }
  readonly middlewares: readonly Middleware[]
}

function start(options: object): Limited {
  const opened = openThreads(2, () => 0)
  const { scoreboard, slot, compileContexts } = opened
  const parsed = parseOptions(adaptive, options)
  if (!parsed.ok) throw new Error(parsed.message)
  const middlewares = compileContexts.map((one) => adaptive.compile(parsed.value, one))
  return {
    ...opened,
    middlewares,
    enter(thread, exchange = requestOf()) {
      const context = createMiddlewareContext()
      const middleware = middlewares[thread]
      if (middleware === undefined) throw new Error(`there is no thread ${thread}`)
      return ask(middleware, exchange, context) === null ? context : null
    },
    sums: () => ({
      answered: scoreboard.sum(slot, COUNT.responses),
      headMs: scoreboard.sum(slot, COUNT.headMs),
      inFlight: scoreboard.shared(slot, SHARED.inFlight),
    }),
  }
}

test('allows what it begins with until the control plane has decided, then what that says', () => {
  const limited = start({ initial: 2, min: 1 })

  const before = [limited.enter(0), limited.enter(1), limited.enter(0)]
  Atomics.store(limited.scoreboard.slot(limited.slot).shared, SHARED.limit, 3)
  const after = [limited.enter(1), limited.enter(0)]

  assert.deepEqual([...before, ...after].map(Boolean), [true, true, false, true, false])
})

test('refuses with 503 and when to come again', () => {
  const limited = start({ initial: 1, min: 1 })
  const [middleware] = limited.middlewares
  assert.ok(middleware && limited.enter(0))

  const response = localResponse(ask(middleware, requestOf(), createMiddlewareContext()))

  assert.equal(response.status, 503)
  assert.equal(response.reason, 'OVERLOADED')
  assert.match(response.fields, /^Retry-After: \d+\r\n$/m)
})

test('adds up the time to the head of what servers answered, or did not in time', () => {
  const limited = start({})
  const late = requestOf()

  limited.enter(0)?.end({ status: 200, headMs: 1000 })
  limited.enter(1)?.end({ status: 500, headMs: 1000 })
  const context = limited.enter(0, late)
  late.reason = 'TRY_TIMEOUT'
  context?.end({ status: 504, headMs: 2000 })

  const { answered, headMs, inFlight } = limited.sums()
  assert.equal(answered, 3)
  assert.ok(headMs >= 4000 && headMs < 4500, `${headMs}`)
  assert.equal(inFlight, 0)
})

test('learns nothing of answers of the proxy itself, failures to connect, tunnels, and clients that leave', () => {
  const limited = start({})

  for (const reason of ['RATE_LIMITED', 'CONNECT_REFUSED', 'RESPOND'] as const) {
    const exchange = requestOf()
    const context = limited.enter(0, exchange)
    exchange.reason = reason
    context?.end({ status: 502 })
  }
  limited.enter(0)?.end({ status: 200, isClientsFault: true })
  limited.enter(0)?.end({ status: 0 })
  limited.enter(0)?.end({ status: 101, headMs: 60_000 })

  assert.deepEqual(limited.sums(), { answered: 0, headMs: 0, inFlight: 0 })
})

test('does not count what a request waited for before it', () => {
  const limited = start({})
  const exchange = requestOf()
  const waited = { ...exchange, startedAt: exchange.startedAt - 60_000, reason: null }

  limited.enter(0, waited as Exchange)?.end({ headAt: performance.now() + 500 })

  const { headMs } = limited.sums()
  assert.ok(headMs >= 500 && headMs < 900, `${headMs}`)
})

test('says what is wrong with its options', () => {
  const message = (options: unknown): string => {
    const parsed = parseOptions(adaptive, options)
    return parsed.ok ? JSON.stringify(parsed.value) : parsed.message
  }

  const filled = parseOptions(adaptive, {})
  assert.ok(filled.ok)
  assert.deepEqual(adaptiveSpecOf(filled.value), {
    initial: 20,
    min: 5,
    max: 200,
    tolerance: 1.5,
    smoothing: 0.2,
  })
  assert.match(message({ min: 300 }), /^min: must not be above max$/)
  assert.match(message({ initial: 500 }), /^initial: must be from min to max$/)
  assert.match(message({ initial: 0 }), /^initial: .*with 0 every request would be refused/)
  assert.match(message({ tolerance: 0.5 }), /^tolerance: must be a number from 1 to 10/)
  assert.match(message({ smoothing: NaN }), /^smoothing: must be a number/)
  assert.match(message({ smoothing: 0 }), /^smoothing: must be a number/)
  assert.match(message({ maximum: 1 }), /unknown key "maximum"/)
})
