import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ResponseHead } from '../../src/http/message/response-head.ts'
import type { Exchange } from '../../src/http/exchange.ts'
import type { Middleware } from '../../src/middleware/middleware.ts'
import { ratelimit } from '../../src/middleware/ratelimit.ts'
import { formatGoDuration } from '../../src/middleware/ratelimit/responses.ts'
import {
  ask,
  createMiddlewareContext,
  openThreads,
  localResponse,
  requestOf,
} from '../support/middleware-context.ts'
import { parseOptions } from '../support/options.ts'

test('a burst passes, what is beyond is told when to come back, as vulcand says it', () => {
  const { send, passes } = openLimit({ requests: 1, period: '10s', burst: 2, headers: false })
  passes()
  passes()

  const refused = localResponse(send())

  assert.equal(refused.status, 429)
  assert.equal(refused.reason, 'RATE_LIMITED')
  assert.equal(refused.detail, 'more than 1 requests in 10s (burst 2)')
  assert.equal(refused.body.toString(), 'max rate reached: retry-in 10s')
  assert.equal(refused.fields, 'Retry-After: 10\r\nX-Retry-In: 10s\r\n')
})

test('who comes back after that time passes, and a little before it does not', () => {
  const { passes, isRefused, wait } = openLimit({ requests: 1, period: '10s' })
  passes()
  wait(9_999)
  isRefused()
  wait(1)

  passes()
  isRefused()
})

test('a wait of less than a second is told as 1 in Retry-After', () => {
  const { send, passes } = openLimit({ requests: 4, burst: 1, headers: false })
  passes()

  assert.equal(localResponse(send()).fields, 'Retry-After: 1\r\nX-Retry-In: 250ms\r\n')
})

test('each client has its own, all threads count the same', () => {
  const { passes, isRefused } = openLimit({ requests: 2, period: '1m' })
  passes({ thread: 0 })
  passes({ thread: 1 })

  isRefused({ thread: 0 })
  isRefused({ thread: 1 })
  passes({ clientIp: '192.0.2.2' })
})

test('an IPv6 client cannot evade by changing its address within its network', () => {
  const { passes, isRefused } = openLimit({ requests: 1, period: '1m' })
  passes({ clientIp: '2001:db8::1' })

  isRefused({ clientIp: '2001:db8::ffff:2' })
  passes({ clientIp: '2001:db8:0:1::1' })
})

test('the key may be a header, and requests without it share one', () => {
  const { passes, isRefused } = openLimit({
    requests: 1,
    period: '1m',
    key: 'request.header.X-Api-Key',
  })
  passes({ fields: { 'x-api-key': 'one' } })
  passes({ clientIp: '192.0.2.8' })

  isRefused({ fields: { 'X-Api-Key': 'one' }, clientIp: '192.0.2.9' })
  isRefused({ clientIp: '192.0.2.9' })
})

test('of several rates all have to accept, and one that refuses charges none', () => {
  const rates = [
    { requests: 2, period: '1s' },
    { requests: 3, period: '1m' },
  ]
  const { send, passes, isRefused, wait } = openLimit({ rates, headers: false })
  passes()
  passes()
  for (let again = 0; again < 5; again++) isRefused()
  wait(1_000)

  // Two of a second are there again, of the minute's three only one is left.
  passes()
  assert.equal(localResponse(send()).body.toString(), 'max rate reached: retry-in 19s')
})

test('passed answers say what is left, refused ones as well', () => {
  const { send, passes, response: responseTo } = openLimit({ requests: 2, period: '10s', burst: 2 })

  assert.equal(
    responseTo(passes()).fields,
    'RateLimit-Limit: 2\r\nRateLimit-Remaining: 1\r\nRateLimit-Reset: 5\r\n',
  )
  passes()
  assert.match(
    localResponse(send()).fields,
    /RateLimit-Limit: 2\r\nRateLimit-Remaining: 0\r\nRateLimit-Reset: 10\r\n$/,
  )
})

test('of two limits on the way the one that leaves less is told, once', () => {
  const { passes, response } = openLimit({ requests: 9 })
  const stricter = 'RateLimit-Limit: 5\r\nRateLimit-Remaining: 1\r\nRateLimit-Reset: 1\r\n'
  const laxer = 'RateLimit-Limit: 99\r\nRateLimit-Remaining: 98\r\nRateLimit-Reset: 1\r\n'

  assert.equal(response(passes(), stricter).fields, stricter)
  assert.match(
    response(passes(), laxer).fields,
    /^RateLimit-Limit: 9\r\nRateLimit-Remaining: 7\r\n/,
  )
})

test('of the limits that a server tells of in several lines the least counts', () => {
  const { passes, response } = openLimit({ requests: 9 })
  const laxer = 'RateLimit-Limit: 99\r\nRateLimit-Remaining: 98\r\nRateLimit-Reset: 1\r\n'
  const stricter = 'RateLimit-Limit: 5\r\nRateLimit-Remaining: 1\r\nRateLimit-Reset: 1\r\n'

  assert.equal(response(passes(), laxer + stricter).fields, laxer + stricter)
})

test('nothing is kept of an exchange that has ended', () => {
  const { middleware, passes, response } = openLimit({ requests: 9 })
  const { exchange, context } = passes()

  context.end()

  assert.equal(response({ exchange }).fields, '')
  assert.notEqual(middleware.onResponse, undefined)
})

test('without headers passed answers are not looked at', () => {
  assert.equal(openLimit({ requests: 9, headers: false }).middleware.onResponse, undefined)
})

test('a request brings its own rates in a header', () => {
  const { passes, isRefused } = openLimit({ requests: 1, period: '1m', ratesHeader: 'X-Rates' })
  const own = { 'x-rates': '[{"PeriodSeconds":60,"Requests":2,"Burst":3}]' }

  for (let time = 0; time < 3; time++) passes({ fields: own })
  isRefused({ fields: own })
})

test('a burst of 0 in the header is as many as the requests, several rates count', () => {
  const { passes, isRefused } = openLimit({ requests: 1, period: '1m', ratesHeader: 'X-Rates' })
  const rates =
    '[{"PeriodSeconds":1,"Requests":5,"Burst":0},{"PeriodSeconds":60,"Requests":2,"Burst":0}]'

  passes({ fields: { 'x-rates': rates } })
  passes({ fields: { 'x-rates': rates } })
  isRefused({ fields: { 'x-rates': rates } })
})

for (const [what, text] of [
  ['missing', null],
  ['no JSON', 'many'],
  ['no list', '{"PeriodSeconds":1,"Requests":5}'],
  ['empty', '[]'],
  ['of no rates', '[null, 3]'],
  ['without a period', '[{"Requests":5}]'],
  ['of nothing', '[{"PeriodSeconds":1,"Requests":0}]'],
  ['of a negative burst', '[{"PeriodSeconds":1,"Requests":5,"Burst":-1}]'],
  ['of no number', '[{"PeriodSeconds":1,"Requests":1e999}]'],
  ['the same twice', '[{"PeriodSeconds":1,"Requests":5},{"PeriodSeconds":1,"Requests":5}]'],
  ['of nine rates', JSON.stringify([1, 2, 3, 4, 5, 6, 7, 8, 9].map(toDeclared))],
  ['longer than any', `[{"PeriodSeconds":1,"Requests":5}${' '.repeat(1024)}]`],
] as const) {
  test(`a header of rates that is ${what} leaves the ones that are configured`, () => {
    const { passes, isRefused } = openLimit({ requests: 1, period: '1m', ratesHeader: 'X-Rates' })
    const fields: Readonly<Record<string, string>> = text === null ? {} : { 'x-rates': text }

    passes({ fields })
    isRefused({ fields })
  })
}

for (const [what, options, message] of [
  ['no rate', {}, 'requests: is missing: how many in a period'],
  ['a rate of 0', { requests: 0 }, /^requests must be a whole number from 1 to/],
  ['a negative rate', { requests: -1 }, /^requests must be a whole number from 1 to/],
  ['a rate that is no number', { requests: NaN }, 'requests: must be a number, not NaN'],
  ['a burst of 0', { requests: 1, burst: 0 }, /^burst must be a whole number from 1 to/],
  ['a negative burst', { requests: 1, burst: -2 }, /^burst must be a whole number from 1 to/],
  ['a period of 0', { requests: 1, period: '0s' }, /^period: must be from 1ms to/],
  ['no list of rates', { rates: [] }, 'rates: there must be 1 to 8 rates'],
  ['a bad one of several', { rates: [{ requests: 1 }, { requests: 0 }] }, /^rates\.1: requests/],
  ['the same twice', { rates: [{ requests: 1 }, { requests: 1 }] }, /twice/],
  [
    'a rate beside rates',
    { requests: 1, rates: [{ requests: 2 }] },
    /^rates cannot be used together with/,
  ],
  ['an unknown variable', { requests: 1, key: 'client.port' }, /^key: must be client\.ip/],
  ['a bad header name', { requests: 1, ratesHeader: 'a b' }, /^ratesHeader: must be a header name/],
  ['an unknown option', { requests: 1, brust: 2 }, 'unknown key "brust", did you mean "burst"?'],
  ['no url', { requests: 1, redis: {} }, 'redis.url: is missing'],
  ['another mode', { requests: 1, redis: { url: 'redis://h', onFailure: 'x' } }, /local or allow/],
  ['a query', { requests: 1, redis: { url: 'redis://h/0?a=1' } }, /^redis\.url: .*nothing behind/],
  ['a path', { requests: 1, redis: { url: 'redis://h/zero' } }, /number of a database/],
  [
    'a metadata service',
    { requests: 1, redis: { url: 'redis://[::ffff:169.254.169.254]' } },
    /^redis\.url: cannot be at ::ffff:a9fe:a9fe: it is a link-local address/,
  ],
  ['a bad prefix', { requests: 1, redis: { url: 'redis://h', prefix: 'a b' } }, /^redis\.prefix/],
] as const) {
  test(`${what} is refused with words`, () => {
    const parsed = parseOptions(ratelimit, options)

    const said = parsed.ok ? 'accepted' : parsed.message
    if (typeof message === 'string') assert.equal(said, message)
    else assert.match(said, message)
  })
}

for (const redis of [
  'redis://:hunter2@h',
  { url: 'http://:hunter2@h' },
  { url: 'redis://:hunter2%@h' },
  { url: 'redis://:hunter2@h/x' },
  { url: `redis://:hunter2@h/${'x'.repeat(3000)}` },
  { url: ['redis://:hunter2@h'] },
]) {
  test(`the secret of ${JSON.stringify(redis).slice(0, 40)} is not repeated in what is wrong with it`, () => {
    const parsed = parseOptions(ratelimit, { requests: 1, redis })

    assert.ok(!parsed.ok)
    assert.doesNotMatch(parsed.message, /hunter2/)
  })
}

test('what was parsed parses again as the same, also as JSON', () => {
  for (const options of [
    { requests: 5 },
    { requests: 5, period: '90s', burst: 10, key: 'client.ip/48', ratesHeader: 'X-Rates' },
    { rates: [{ requests: 1 }, { requests: 10, period: '1m' }], headers: false },
    { requests: 1, redis: { url: 'rediss://a:b@[::1]:7000/3', timeout: '5ms', onFailure: 'deny' } },
  ]) {
    const once = parseOptions(ratelimit, options)
    assert.ok(once.ok)

    assert.deepEqual(parseOptions(ratelimit, JSON.parse(JSON.stringify(once.value))), once)
  }
})

for (const [ms, text] of [
  [0, '0s'],
  [1, '1ms'],
  [999, '999ms'],
  [1_500, '1.5s'],
  [10_000, '10s'],
  [60_000, '1m0s'],
  [90_001, '1m30.001s'],
  [3_600_000, '1h0m0s'],
  [90_000_500, '25h0m0.5s'],
] as const) {
  test(`Go writes ${ms} ms as ${text}`, () => {
    assert.equal(formatGoDuration(ms), text)
  })
}

interface Sent {
  readonly thread?: number
  readonly clientIp?: string
  readonly fields?: Readonly<Record<string, string>>
}

/** A limit in two threads, whose clock the test moves. */
function openLimit(options: object): {
  middleware: Middleware
  send: (sent?: Sent) => ReturnType<typeof ask>
  passes: (sent?: Sent) => {
    exchange: Exchange
    context: ReturnType<typeof createMiddlewareContext>
  }
  isRefused: (sent?: Sent) => void
  response: (sent: { exchange: Exchange }, fields?: string) => ResponseHead
  wait: (ms: number) => void
} {
  const parsed = parseOptions(ratelimit, options)
  if (!parsed.ok) throw new Error(parsed.message)
  let now = 1_000
  const { compileContexts } = openThreads(2, () => now)
  const compiled = compileContexts.map((one) => ratelimit.compile(parsed.value, one))
  const middleware = compiled[0] ?? {}
  const put = (
    { thread = 0, ...form }: Sent,
    exchange = requestOf(form),
    context = createMiddlewareContext(),
  ) => ({ decision: ask(compiled[thread] ?? {}, exchange, context), exchange, context })
  return {
    middleware,
    send: (sent = {}) => put(sent).decision,
    passes(sent = {}) {
      const { decision, ...rest } = put(sent)
      assert.equal(decision, null)
      return rest
    },
    isRefused: (sent = {}) => assert.equal(localResponse(put(sent).decision).status, 429),
    response({ exchange }, fields = '') {
      const head = new ResponseHead()
      head.fields = fields
      middleware.onResponse?.(exchange, head)
      return head
    },
    wait: (ms) => void (now += ms),
  }
}

function toDeclared(requests: number): object {
  return { PeriodSeconds: 1, Requests: requests }
}
