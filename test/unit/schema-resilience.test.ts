import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseBackend, parseFrontend } from '../../src/schema/objects.ts'
import { parseShare } from '../../src/model/units.ts'
import type { Backend, Frontend } from '../../src/model/snapshot.ts'

const route = 'Host("vote.localhost")'
const secret = 'sixteen-or-more-characters'

function backendOf(value: object): Backend {
  const parsed = parseBackend('b', value, String)
  assert.ok(parsed.ok, JSON.stringify(parsed))
  return parsed.value
}

function frontendOf(value: object): Frontend {
  const parsed = parseFrontend('f', { route, backend: 'b', ...value })
  assert.ok(parsed.ok, JSON.stringify(parsed))
  return parsed.value
}

function flawsOf(value: object): readonly string[] {
  const parsed = parseBackend('b', value, String)
  return parsed.ok ? [] : parsed.problems.map(({ message }) => message)
}

function frontendFlawsOf(value: object): readonly string[] {
  const parsed = parseFrontend('f', { route, backend: 'b', ...value })
  return parsed.ok ? [] : parsed.problems.map(({ message }) => message)
}

test('a share is a percentage or a number from 0 to 1', () => {
  const share = (value: unknown): unknown => {
    const parsed = parseShare(value, 0.1, 0.9)
    return parsed.ok ? parsed.value : parsed.reason
  }

  assert.deepEqual(['20%', 0.2, '12.5 %', '90%', 0.1].map(share), [0.2, 0.2, 0.125, 0.9, 0.1])
  assert.equal(share('9%'), 'must be from 10% to 90%, not "9%"')
  assert.equal(share(20), 'must be from 10% to 90%, not 20')
  for (const value of ['20', '-20%', '1e1%', '%', '', NaN, Infinity, null, [0.2], true]) {
    assert.match(String(share(value)), /^must be a share such as 20% or 0\.2, not /)
  }
})

test('a hash is taken of the client, or of what the backend names', () => {
  const hash = (value?: object): unknown => {
    const backend: object = backendOf({ balance: 'hash', ...(value && { hash: value }) })
    return (backend as { readonly hash: unknown }).hash
  }

  assert.deepEqual(hash(), { from: 'client-ip', name: '' })
  assert.deepEqual(hash({ from: 'path' }), { from: 'path', name: '' })
  assert.deepEqual(hash({ from: 'header', name: 'X-User' }), { from: 'header', name: 'x-user' })
  assert.deepEqual(hash({ from: 'cookie', name: 'Id' }), { from: 'cookie', name: 'Id' })
  assert.deepEqual(hash({ from: 'query', name: 'a b' }), { from: 'query', name: 'a b' })
})

test('says what is wrong with a hash', () => {
  const flaws = (hash: object): readonly string[] => flawsOf({ balance: 'hash', hash })

  assert.deepEqual(flawsOf({ hash: { from: 'path' } }), ['hash: is used with balance: hash only'])
  assert.deepEqual(flaws({ from: 'header' }), ['hash.name: is missing: from: header needs one'])
  assert.deepEqual(flaws({ from: 'path', name: 'x' }), ['hash.name: is not used with from: path'])
  assert.deepEqual(flaws({ from: 'cookie', name: 'a b' }), [
    'hash.name: must be the name of a cookie, not "a b"',
  ])
  assert.match(flaws({ from: 'moon' })[0] ?? '', /^hash\.from: must be client-ip or header or /)
  assert.deepEqual(flaws({}), ['hash.from: is missing'])
})

test('a backend is sticky with defaults, or as it says', () => {
  assert.deepEqual(backendOf({ sticky: {} }).sticky, {
    cookie: 'sluice',
    secret: null,
    sameSite: 'lax',
    path: '/',
    maxAgeSeconds: 0,
  })
  const said = { cookie: 'lb', secret, sameSite: 'strict', path: '/shop', maxAge: '2m' }
  assert.deepEqual(backendOf({ sticky: said }).sticky, {
    cookie: 'lb',
    secret,
    sameSite: 'strict',
    path: '/shop',
    maxAgeSeconds: 120,
  })
})

test('says what is wrong with a sticky cookie, and never shows a secret', () => {
  const flaws = (sticky: object): readonly string[] => flawsOf({ sticky })

  assert.match(flaws({ cookie: 'a;b' })[0] ?? '', /^sticky\.cookie: .+ not "a;b"$/)
  assert.deepEqual(flaws({ secret: 'hunter2' }), [
    'sticky.secret: must be text of 16 to 1024 characters',
  ])
  assert.deepEqual(flaws({ secret: 42 }), ['sticky.secret: must be text of 16 to 1024 characters'])
  assert.match(flaws({ path: '/a; Domain=x' })[0] ?? '', /^sticky\.path: must be a path /)
  assert.match(flaws({ path: 'a' })[0] ?? '', /^sticky\.path: must be a path /)
  assert.deepEqual(flaws({ maxAge: '1500ms' }), ['sticky.maxAge: must be whole seconds'])
  assert.match(flaws({ maxAge: '10000h' })[0] ?? '', /^sticky\.maxAge: must be from 0s to 9600h/)
  assert.match(flaws({ secure: true })[0] ?? '', /unknown key "secure"/)
})

test('a backend has a time for each phase, a frontend those that it says', () => {
  const timeouts = { connect: '1s', handshake: 2, firstByte: '3s', stall: '4s', try: '5s' }

  assert.deepEqual(
    backendOf({ timeouts: { ...timeouts, request: '6s', tunnel: '8s', idle: '7s' } }).timeouts,
    {
      connectMs: 1000,
      handshakeMs: 2000,
      firstByteMs: 3000,
      stallMs: 4000,
      tryMs: 5000,
      requestMs: 6000,
      tunnelMs: 8000,
    },
  )
  assert.deepEqual(frontendOf({ timeouts: { try: 0, firstByte: '90s' } }).timeouts, {
    firstByteMs: 90_000,
    tryMs: 0,
  })
  assert.equal(frontendOf({ timeouts: {} }).timeouts, null)
})

test('says what is wrong with a time', () => {
  assert.deepEqual(flawsOf({ timeouts: { connect: 0 } }), [
    'timeouts.connect: must be from 1ms to 24h, not 0',
  ])
  assert.deepEqual(flawsOf({ timeouts: { try: '-1s' } }), [
    'timeouts.try: must be a duration such as 10s, 500ms or 1m30s, not "-1s"',
  ])
  assert.match(frontendFlawsOf({ timeouts: { idle: '1s' } })[0] ?? '', /unknown key "idle"/)
  const answered = parseFrontend('f', { route, respond: { status: 204 }, timeouts: { try: 1 } })
  assert.deepEqual(answered.ok ? [] : answered.problems.map(({ message }) => message), [
    'timeouts: is used with a backend only',
  ])
})

test('a health check asks for / with defaults, or what it says', () => {
  const common = {
    grpc: null,
    port: null,
    timeoutMs: 2000,
    rise: 2,
    fall: 3,
    jitter: 0.1,
    waitHealthy: true,
  }

  assert.deepEqual(backendOf({ health: {} }).health, {
    http: {
      isDeclared: false,
      method: 'GET',
      path: '/',
      host: null,
      headers: {},
      statuses: [[200, 399]],
      body: null,
    },
    intervalMs: 5000,
    downIntervalMs: 5000,
    ...common,
  })
  assert.deepEqual(
    backendOf({
      health: {
        path: '/healthz?full=1',
        method: 'POST',
        host: 'vote.example:8080',
        headers: { Authorization: 'Bearer x' },
        status: [204, '301-308', '404'],
        body: '^(ok|fine)$',
        port: 9000,
        interval: '1s',
        downInterval: '30s',
        timeout: '900ms',
        rise: 1,
        fall: 1,
        jitter: 0,
        waitHealthy: false,
      },
    }).health,
    {
      http: {
        isDeclared: true,
        method: 'POST',
        path: '/healthz?full=1',
        host: 'vote.example:8080',
        headers: { Authorization: 'Bearer x' },
        statuses: [
          [204, 204],
          [301, 308],
          [404, 404],
        ],
        body: '^(ok|fine)$',
      },
      grpc: null,
      port: 9000,
      intervalMs: 1000,
      downIntervalMs: 30_000,
      timeoutMs: 900,
      rise: 1,
      fall: 1,
      jitter: 0,
      waitHealthy: false,
    },
  )
  assert.deepEqual(backendOf({ health: { kind: 'tcp', interval: '1s' } }).health, {
    http: null,
    intervalMs: 1000,
    downIntervalMs: 1000,
    ...common,
    // The default is not longer than the interval.
    timeoutMs: 1000,
  })
})

const WRONG_HEALTH: readonly (readonly [object, RegExp])[] = [
  [{ path: 'healthz' }, /^health\.path: must begin with \/ .+ not "healthz"$/],
  [{ path: '/a\r\nX: y' }, /^health\.path: must begin with \/ /],
  [{ path: '/a b' }, /^health\.path: must begin with \/ /],
  [{ method: 'DELETE' }, /^health\.method: must be GET or HEAD or OPTIONS or POST, not "DELETE"$/],
  [{ host: 'a b' }, /^health\.host: must be the name of a host, not "a b"$/],
  [{ headers: { 'a b': 'c' } }, /^health\.headers: "a b" is not a header name$/],
  [{ headers: { a: 'b\r\nc: d' } }, /^health\.headers: the value of "a" must be visible/],
  [{ headers: { Host: 'x' } }, /^health\.headers: "Host" is set by Sluice itself$/],
  [{ headers: [] }, /^health\.headers: must be a map/],
  [{ status: 99 }, /^health\.status: must be 200 to 599, as 204 or "200-399", not 99$/],
  [{ status: '399-200' }, /^health\.status: must be 200 to 599/],
  [{ status: [] }, /^health\.status: must hold 1 to 20 statuses, not 0$/],
  [{ status: [200.5] }, /^health\.status: must be 200 to 599/],
  [{ body: '(' }, /^health\.body: is not a regular expression of RE2: /],
  [{ body: '(?=x)' }, /^health\.body: is not a regular expression of RE2: /],
  [{ body: '' }, /^health\.body: must be text/],
  [{ body: '(((a{100}){10}){10})' }, /^health\.body: /],
  [{ body: 'ok', method: 'HEAD' }, /^health\.body: is not used with method: HEAD/],
  [{ port: 0 }, /^health\.port: must be a whole number from 1 to 65535, not 0$/],
  [{ interval: 0 }, /^health\.interval: must be from 10ms to 24h, not 0$/],
  [{ timeout: 0 }, /^health\.timeout: must be from 1ms to 24h, not 0$/],
  [
    { interval: '1500ms', timeout: '2s' },
    /^health\.timeout: must not be longer than interval \(1500ms\), because the probes of a server do not overlap$/,
  ],
  [{ rise: 0 }, /^health\.rise: must be a whole number from 1 to 100, not 0$/],
  [{ fall: 1.5 }, /^health\.fall: must be a whole number/],
  [{ jitter: '150%' }, /^health\.jitter: must be from 0% to 100%, not "150%"$/],
  [{ kind: 'icmp' }, /^health\.kind: must be http or tcp, not "icmp"$/],
  [{ kind: 'tcp', path: '/' }, /^health\.path: is used with kind: http only$/],
  [{ kind: 'tcp', status: 200 }, /^health\.status: is used with kind: http only$/],
]

for (const [health, expected] of WRONG_HEALTH) {
  test(`refuses a health check of ${JSON.stringify(health)}`, () => {
    assert.match(flawsOf({ health }).join('\n'), expected)
  })
}

test('a health check by gRPC has nothing of a request', () => {
  assert.deepEqual(backendOf({ health: { grpc: {} } }).health?.grpc, { service: '' })
  assert.deepEqual(backendOf({ health: { grpc: { service: 'shop.Cart' } } }).health?.grpc, {
    service: 'shop.Cart',
  })
  assert.equal(backendOf({ health: { grpc: {} } }).health?.http, null)
  assert.deepEqual(flawsOf({ health: { grpc: {}, kind: 'tcp', path: '/x' } }), [
    'health.kind: is not used with grpc',
    'health.path: is not used with grpc',
  ])
})

test('a health check by gRPC needs servers that speak HTTP/2', () => {
  const health = { grpc: {} }
  const refusal = (id: string): string =>
    `health.grpc: needs HTTP/2, and server "${id}" speaks HTTP/1.1: give it h2c://, or the backend protocol: h2`
  const old = { a: 'h2c://127.0.0.1:1', b: 'http://127.0.0.1:2' }

  assert.deepEqual(flawsOf({ health, servers: old }), [refusal('b')])
  assert.deepEqual(flawsOf({ health, protocol: 'auto', servers: old }), [refusal('b')])
  assert.deepEqual(flawsOf({ health, servers: { s: 'https://127.0.0.1:1' } }), [refusal('s')])
  assert.equal(backendOf({ health, protocol: 'h2', servers: old }).servers.length, 2)
  assert.equal(
    backendOf({ health, protocol: 'auto', servers: { s: 'https://127.0.0.1:1' } }).servers.length,
    1,
  )
})

test('servers are ejected as the backend says', () => {
  assert.deepEqual(
    backendOf({
      ejection: {
        failures: 0,
        errors: 10,
        successRate: {},
        time: '10m',
        share: '25%',
      },
      panic: 0,
      slowStart: '30s',
    }).ejection,
    {
      failures: 0,
      errors: 10,
      successRate: { deviations: 3, requests: 50 },
      baseMs: 600_000,
      longestMs: 600_000,
      share: 0.25,
    },
  )
  assert.equal(backendOf({ ejection: { longest: '10s' } }).ejection.baseMs, 10_000)
  assert.equal(backendOf({ slowStart: '30s' }).slowStartMs, 30_000)
  assert.equal(backendOf({ panic: '0%' }).panic, 0)
})

test('says what is wrong with ejection', () => {
  const flaws = (ejection: object): readonly string[] => flawsOf({ ejection })

  assert.deepEqual(flaws({ failures: -1 }), [
    'ejection.failures: must be a whole number from 0 to 1000, not -1',
  ])
  assert.deepEqual(flaws({ successRate: { deviations: 0 } }), [
    'ejection.successRate.deviations: must be a number from 0.5 to 10, not 0',
  ])
  assert.deepEqual(flaws({ successRate: { deviations: NaN } }), [
    'ejection.successRate.deviations: must be a number from 0.5 to 10, not NaN',
  ])
  assert.deepEqual(flaws({ time: '1m', longest: '30s' }), [
    'ejection.longest: must not be shorter than time',
  ])
  assert.deepEqual(flaws({ share: 0 }), ['ejection.share: must be from 1% to 100%, not 0'])
  assert.deepEqual(flaws({ failures: 0, share: '10%' }), [
    'ejection.share: does nothing: every reason to eject a server is off',
  ])
  assert.deepEqual(flaws({ failures: 0 }), [])
  assert.deepEqual(flawsOf({ panic: 1.01 }), ['panic: must be from 0% to 100%, not 1.01'])
})

test('a backend retries as it says, a frontend instead of it', () => {
  const when = 'IsNetworkError() && Attempts() < 3'
  const said = {
    attempts: 4,
    when,
    backoff: '1s',
    buffer: '1MiB',
    hedge: { quantile: '95%' },
  }
  const retry = {
    attempts: 4,
    when,
    backoffMs: 1000,
    longestBackoffMs: 1000,
    bufferBytes: 1_048_576,
    hedge: { afterMs: null, quantile: 0.95 },
  }

  const backend = backendOf({ retry: { ...said, budget: { ratio: '10%' } } })

  assert.deepEqual(backend.retry, retry)
  assert.deepEqual(backend.retryBudget, { ratio: 0.1, perSecond: 3 })
  assert.deepEqual(frontendOf({ retry: said }).retry, retry)
  assert.deepEqual(frontendOf({ retry: { hedge: { after: '50ms' } } }).retry, {
    attempts: 2,
    when: null,
    backoffMs: 0,
    longestBackoffMs: 250,
    bufferBytes: 65_536,
    hedge: { afterMs: 50, quantile: null },
  })
  assert.equal(frontendOf({ retry: { attempts: 1 } }).retry?.attempts, 1)
  assert.equal(backendOf({ retry: { attempts: 1 } }).retry.attempts, 1)
})

test('says what is wrong with a retry', () => {
  const flaws = (retry: object): readonly string[] => flawsOf({ retry })

  assert.deepEqual(flaws({ attempts: 12 }), [
    'retry.attempts: must be a whole number from 1 to 11, not 12',
  ])
  assert.deepEqual(flaws({ attempts: 1, hedge: { after: 1 }, budget: {} }), [
    'retry.budget: is used with attempts of 2 or more only',
    'retry.hedge: is used with attempts of 2 or more only',
  ])
  assert.deepEqual(flaws({ backoff: '2s', longestBackoff: '1s' }), [
    'retry.longestBackoff: must not be shorter than backoff',
  ])
  assert.deepEqual(flaws({ longestBackoff: '1s' }), [
    'retry.longestBackoff: is used with a backoff only',
  ])
  assert.deepEqual(flaws({ buffer: '17MiB' }), [
    'retry.buffer: must be from 0 to 16777216 bytes, not "17MiB"',
  ])
  assert.deepEqual(flaws({ hedge: {} }), ['retry.hedge: needs exactly one of after and quantile'])
  assert.deepEqual(flaws({ hedge: { after: '1s', quantile: '90%' } }), [
    'retry.hedge: needs exactly one of after and quantile',
  ])
  assert.deepEqual(flaws({ hedge: { quantile: 1 } }), [
    'retry.hedge.quantile: must be from 50% to 99.9%, not 1',
  ])
  assert.deepEqual(flaws({ budget: { ratio: 0, perSecond: 0 } }), [
    'retry.budget: allows no retry at all; write attempts: 1 for that',
  ])
  assert.deepEqual(flaws({ budget: { perSecond: -1 } }), [
    'retry.budget.perSecond: must be a whole number from 0 to 1000000, not -1',
  ])
  assert.match(frontendFlawsOf({ retry: { budget: {} } })[0] ?? '', /unknown key "budget"/)
})

test('a breaker of servers is read with its defaults', () => {
  const condition = 'NetworkErrorRatio() > 0.5'

  assert.deepEqual(backendOf({ breaker: { condition } }).breaker, {
    condition,
    requests: 20,
    checkMs: 100,
    fallbackMs: 10_000,
    recoveryMs: 10_000,
    onTripped: null,
    onStandby: null,
  })
  assert.deepEqual(flawsOf({ breaker: {} }), ['breaker.condition: is missing'])
})

test('the short forms of middlewares stand outermost first, however they are written', () => {
  const { middlewares } = frontendOf({
    middlewares: [{ kind: 'headers' }],
    headers: {},
    breaker: { condition: 'NetworkErrorRatio() > 0.5' },
    adaptive: {},
    inflight: { requests: 1 },
    bodylimit: { size: 1 },
    connlimit: { connections: 1 },
    ratelimit: { requests: 1 },
  })

  assert.deepEqual(
    middlewares.map(({ kind }) => kind),
    [
      ...['ratelimit', 'connlimit', 'bodylimit', 'inflight', 'adaptive', 'breaker', 'headers'],
      'headers',
    ],
  )
  assert.deepEqual(middlewares[3]?.options, { requests: 1, queue: 0, wait: '1s' })
})
