import assert from 'node:assert/strict'
import { test } from 'node:test'
import { breaker, breakerSpecOf } from '../../src/middleware/breaker.ts'
import { renameBackends } from '../../src/middleware/catalog.ts'
import { parseMiddleware } from '../../src/schema/middleware.ts'
import type { ExchangeOutcome, MiddlewareDecision } from '../../src/middleware/middleware.ts'
import { NO_TRAFFIC, SHARED } from '../../src/scoreboard/layout.ts'
import {
  ask,
  createMiddlewareContext,
  openThreads,
  localResponse,
  requestOf,
} from '../support/middleware-context.ts'
import { parseOptions } from '../support/options.ts'

const CONDITION = 'NetworkErrorRatio() > 0.5'

function parsed(options: Readonly<Record<string, unknown>> = {}) {
  const read = parseOptions(breaker, { condition: CONDITION, ...options })
  assert.ok(read.ok, read.ok ? '' : read.message)
  return read.value
}

function refusal(options: unknown): string {
  const read = parseOptions(breaker, options)
  assert.ok(!read.ok, 'it is taken')
  return read.message
}

/** The breaker in two threads, and what the control plane has to do with it. */
function openBreaker(options: Readonly<Record<string, unknown>> = {}) {
  const { scoreboard, slot, compileContexts } = openThreads(2, () => 0)
  const threads = compileContexts.map((one) => breaker.compile(parsed(options), one))
  const cells = scoreboard.slot(slot)
  return {
    admit(value: number): void {
      Atomics.store(cells.shared, cells.at + SHARED.trafficShare, value)
    },
    /** Asks in one of the threads; what passes is answered. */
    request(
      target = '/',
      thread = 0,
      end: Partial<ExchangeOutcome> = {},
    ): MiddlewareDecision | 'pending' {
      const context = createMiddlewareContext()
      const middleware = threads[thread]
      assert.ok(middleware)
      const decision = ask(middleware, requestOf({ target }), context)
      if (decision === null) context.end(end)
      return decision
    },
    counted: () => [0, 1].map((measure) => scoreboard.sum(slot, measure)),
    tickets: () => scoreboard.shared(slot, SHARED.ticket),
  }
}

test('in standby all requests pass and are counted when they end, in every thread', () => {
  const { request, counted, tickets } = openBreaker()

  assert.equal(request('/', 0, { status: 200 }), null)
  assert.equal(request('/', 1, { status: 502 }), null)

  assert.deepEqual(counted(), [2, 1])
  assert.equal(tickets(), 0)
})

test('requests that a client has ended are not counted', () => {
  const { request, counted } = openBreaker()

  request('/', 0, { status: 504, isClientsFault: true })

  assert.deepEqual(counted(), [0, 0])
})

test('tripped it answers every request with 503 and when to come back, and counts none', () => {
  const { admit, request, counted } = openBreaker({ tripped: '2500ms' })
  admit(NO_TRAFFIC)

  const responses = [0, 1].map((thread) => localResponse(request('/', thread)))

  for (const response of responses) {
    assert.equal(response.status, 503)
    assert.equal(response.reason, 'BREAKER_OPEN')
    assert.equal(response.detail, `the breaker ${CONDITION} is tripped`)
    assert.equal(response.fields, 'Retry-After: 3\r\n')
  }
  assert.deepEqual(counted(), [0, 0])
})

test('recovering it lets its share through, over all threads', () => {
  const { admit, request, counted } = openBreaker()
  admit(250)

  const decisions = Array.from({ length: 1_000 }, (_, turn) => request('/', turn % 2))

  const passed = decisions.filter((decision) => decision === null).length
  assert.ok(Math.abs(passed - 250) <= 3, `${passed} of 1000`)
  assert.deepEqual(counted(), [passed, 0])
  const refused = decisions.find((decision) => decision !== null)
  assert.equal(localResponse(refused).detail, `the breaker ${CONDITION} is recovering`)
})

test('an answer of its own is a fallback', () => {
  const respond = { body: '{"later":true}', type: 'application/json', fields: { 'X-Why': 'x' } }
  const { admit, request } = openBreaker({ fallback: { respond } })
  admit(NO_TRAFFIC)

  const response = localResponse(request())

  assert.equal(response.status, 503)
  assert.equal(response.reason, 'BREAKER_OPEN')
  assert.equal(response.contentType, 'application/json')
  assert.equal(response.fields, 'X-Why: x\r\n')
  assert.equal(response.body.toString(), '{"later":true}')
})

test('a redirect is a fallback, not for good, and keeps the path without the query', () => {
  const redirect = { to: 'https://spare.example/', keepPath: true }
  const { admit, request } = openBreaker({ fallback: { redirect } })
  admit(NO_TRAFFIC)

  const response = localResponse(request('/a/b?c=d'))

  assert.equal(response.status, 302)
  assert.equal(response.reason, 'BREAKER_OPEN')
  assert.equal(response.fields, 'Location: https://spare.example/a/b\r\n')
})

test('another backend is a fallback, and the log is told why', () => {
  const options = parsed({ fallback: { backend: 'spare' } })
  const { scoreboard, slot, compileContexts } = openThreads(1, () => 0)
  const cells = scoreboard.slot(slot)
  Atomics.store(cells.shared, cells.at + SHARED.trafficShare, NO_TRAFFIC)
  const [first] = compileContexts
  assert.ok(first)
  const exchange = requestOf()

  const decision = ask(breaker.compile(options, first), exchange, createMiddlewareContext())

  assert.deepEqual(decision, { useBackend: 'spare' })
  assert.equal(exchange.detail, `the breaker ${CONDITION} is tripped`)
})

test('it names the backend of its fallback, and takes another name for it', () => {
  const spec = { kind: 'breaker', options: parsed({ fallback: { backend: 'spare' } }) }

  assert.deepEqual(breaker.backends?.named(parsed({ fallback: { backend: 'spare' } })), ['spare'])
  assert.deepEqual(breaker.backends.named(parsed()), [])
  assert.deepEqual(
    renameBackends(spec, (name) => `file/${name}`),
    { kind: 'breaker', options: { ...spec.options, fallback: { backend: 'file/spare' } } },
  )
})

test('every default is filled, and what is filled reads as the same again', () => {
  const options = parsed()

  assert.deepEqual(options, {
    condition: CONDITION,
    requests: 20,
    check: '100ms',
    tripped: '10s',
    recovery: '10s',
    onTripped: null,
    onStandby: null,
    fallback: null,
  })
  const full = parsed({
    check: 1,
    tripped: '1m30s',
    recovery: '0s',
    onTripped: { url: 'http://hooks.example', form: { text: ['a b', 'c'] } },
    onStandby: 'https://hooks.example/standby',
    fallback: { redirect: { to: '/sorry' } },
  })
  assert.deepEqual(parsed({ ...full }), full)
  assert.deepEqual(parseMiddleware({ kind: 'breaker', options: full }), {
    ok: true,
    value: { kind: 'breaker', options: full },
  })
  assert.deepEqual(breakerSpecOf(full), {
    condition: CONDITION,
    requests: 20,
    checkMs: 1_000,
    fallbackMs: 90_000,
    recoveryMs: 0,
    onTripped: {
      url: 'http://hooks.example/',
      method: 'POST',
      headers: { 'Content-Type': ['application/x-www-form-urlencoded'] },
      body: 'text=a+b&text=c',
    },
    onStandby: { url: 'https://hooks.example/standby', method: 'POST', headers: {}, body: '' },
  })
})

const refusals: readonly [options: unknown, message: RegExp][] = [
  [{}, /^condition: is missing$/],
  [{ condition: 'NetworkErrorRatio() > x' }, /^condition: found "x", .* \(at character 23\)$/],
  [{ condition: CONDITION, requests: -1 }, /^requests: must be a whole number from 0/],
  [{ condition: CONDITION, check: '0s' }, /^check: must be from 1ms to 1m/],
  [{ condition: CONDITION, tripped: 'soon' }, /^tripped: must be a duration such as/],
  [{ condition: CONDITION, triped: '1s' }, /unknown key "triped", did you mean "tripped"/],
  [{ condition: CONDITION, fallback: {} }, /^fallback: must say one of respond, redirect and/],
  [
    { condition: CONDITION, fallback: { backend: 'a', respond: {} } },
    /^fallback: must say one of respond, redirect and backend/,
  ],
  [{ condition: CONDITION, fallback: { backend: 'a b' } }, /^fallback\.backend: the id must be/],
  [{ condition: CONDITION, fallback: { respond: { status: 99 } } }, /^fallback\.respond\.status: /],
  [{ condition: CONDITION, fallback: { redirect: { to: '//x' } } }, /^fallback\.redirect\.to: /],
  [{ condition: CONDITION, onTripped: { url: 'ftp://x' } }, /^onTripped\.url: must be a url such/],
]

for (const [options, message] of refusals) {
  test(`refuses ${JSON.stringify(options)}`, () => {
    assert.match(refusal(options), message)
  })
}
