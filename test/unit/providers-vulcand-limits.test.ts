// Limits, breakers and retries of vulcand's keys. What is read has to be what admission takes.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { validateObject } from '../../src/control/admission/validate-object.ts'
import { createLayout } from '../support/layouts.ts'
import { createMirror } from '../../src/providers/registry/mirror.ts'
import type { DeclaredObject } from '../../src/providers/provider.ts'

const rate = { PeriodSeconds: 1, Requests: 10, Burst: 20, Variable: 'client.ip', RateVar: '' }

function read(path: string, json: object): DeclaredObject {
  const mirror = createMirror(createLayout('vulcand', { sealKey: null }))
  mirror.replace([{ path, key: `/vulcand/${path}`, text: JSON.stringify(json) }])
  const [object] = mirror.declare({ revision: '', listed: 'first', changedAt: 0 }).objects
  assert.ok(object)
  return object
}

function middleware(type: string, options: object): DeclaredObject {
  return read('frontends/f/middlewares/m', { Type: type, Priority: 3, Middleware: options })
}

function frontend(settings: object): DeclaredObject {
  const json = { Type: 'http', Route: 'Path("/")', BackendId: 'b', Settings: settings }
  return read('frontends/f/frontend', json)
}

/** Its value, which admission has nothing against. */
function admitted({ kind, id, value, fault }: DeclaredObject): unknown {
  assert.equal(fault, undefined)
  assert.equal(validateObject(kind, id, value, String), null)
  return value
}

test('a rate limit is read', () => {
  assert.deepEqual(admitted(middleware('ratelimit', rate)), {
    kind: 'ratelimit',
    priority: 3,
    requests: 10,
    period: '1s',
    burst: 20,
    key: 'client.ip',
  })
  const named = { ...rate, Variable: 'request.header.X-Key', RateVar: 'request.header.X-Rates' }
  assert.deepEqual(admitted(middleware('ratelimit', named)), {
    kind: 'ratelimit',
    priority: 3,
    requests: 10,
    period: '1s',
    burst: 20,
    key: 'request.header.X-Key',
    ratesHeader: 'X-Rates',
  })
})

test('a rate limit that vulcand would refuse is one fault', () => {
  const fault = (options: object): string | undefined =>
    middleware('ratelimit', { ...rate, ...options }).fault

  assert.equal(fault({ PeriodSeconds: 0 }), 'Middleware.PeriodSeconds: must be more than 0')
  assert.equal(fault({ Requests: -1 }), 'Middleware.Requests: must be more than 0')
  assert.equal(
    fault({ Burst: undefined }),
    'Middleware.Burst: must be more than 0: without it vulcand responds with 404 to all requests',
  )
  assert.equal(fault({ Variable: '' }), 'Middleware.Variable is missing')
  assert.equal(
    fault({ RateVar: 'client.ip' }),
    'Middleware.RateVar: must be request.header.NAME, not "client.ip"',
  )
  assert.equal(fault({ Requests: '1' }), 'Middleware.Requests: must be a whole number, not "1"')
})

test('a limit of connections is read, and one of none refuses all', () => {
  const read = (connections: number): DeclaredObject =>
    middleware('connlimit', { Connections: connections, Variable: 'request.host' })

  assert.deepEqual(admitted(read(10)), {
    kind: 'connlimit',
    priority: 3,
    connections: 10,
    key: 'request.host',
  })
  assert.deepEqual(admitted(read(0)), {
    kind: 'respond',
    priority: 3,
    status: 429,
    body: 'max connections reached: 0',
  })
  assert.equal(read(-1).fault, 'Middleware.Connections: must not be negative')
})

const action = { StatusCode: 400, ContentType: 'text/plain', Body: 'Come back later' }
const response = { Type: 'response', Action: action }
const hook = {
  Type: 'webhook',
  Action: {
    URL: 'http://hooks.example/',
    Method: 'POST',
    Headers: { 'X-Who': ['v'] },
    Form: { Key: ['Val'] },
    Body: {},
  },
}

test('a circuit breaker is read, its parts as maps or as texts of JSON', () => {
  const options = {
    Condition: 'LatencyAtQuantileMS(50.0) > 2000',
    Fallback: response,
    OnTripped: hook,
    OnStandby: '',
    FallbackDuration: 10_000_000_000,
    RecoveryDuration: 1_500_000_000,
    CheckPeriod: 100_000_000,
  }
  const value = {
    kind: 'breaker',
    priority: 3,
    condition: 'LatencyAtQuantileMS(50.0) > 2000',
    requests: 0,
    check: '100ms',
    tripped: '10s',
    recovery: '1500ms',
    fallback: { respond: { status: 400, type: 'text/plain', body: 'Come back later' } },
    onTripped: {
      url: 'http://hooks.example/',
      method: 'POST',
      headers: { 'X-Who': ['v'] },
      form: { Key: ['Val'] },
    },
  }

  assert.deepEqual(admitted(middleware('cbreaker', options)), value)
  assert.deepEqual(
    admitted(
      middleware('cbreaker', {
        ...options,
        Fallback: JSON.stringify(response),
        OnTripped: JSON.stringify(hook),
        OnStandby: null,
      }),
    ),
    value,
  )
})

test('durations of a circuit breaker that are left out are ours, and it is told', () => {
  const object = middleware('cbreaker', {
    Condition: 'NetworkErrorRatio() > 0.5',
    Fallback: { Type: 'redirect', Action: { URL: 'http://spare.example', PreservePath: true } },
    CheckPeriod: 0,
  })

  assert.deepEqual(admitted(object), {
    kind: 'breaker',
    priority: 3,
    condition: 'NetworkErrorRatio() > 0.5',
    requests: 0,
    fallback: { redirect: { to: 'http://spare.example', keepPath: true } },
  })
  assert.deepEqual(object.remarks, [
    'Middleware.CheckPeriod is missing or 0: 100ms is taken',
    'Middleware.FallbackDuration is missing or 0: 10s is taken',
    'Middleware.RecoveryDuration is missing or 0: 10s is taken',
  ])
})

test('durations of a circuit breaker are bounded, and it is told', () => {
  const object = middleware('cbreaker', {
    Condition: 'NetworkErrorRatio() > 0.5',
    Fallback: response,
    CheckPeriod: 61_000_000_000,
    FallbackDuration: 86_400_001_000_000,
    RecoveryDuration: 1e18,
  })
  const longest = middleware('cbreaker', {
    Condition: 'NetworkErrorRatio() > 0.5',
    Fallback: response,
    CheckPeriod: 60_000_000_000,
    FallbackDuration: 86_400_000_000_000,
    RecoveryDuration: 86_400_000_000_000,
  })

  const { check, tripped, recovery } = admitted(object) as Record<string, unknown>
  assert.deepEqual([check, tripped, recovery], ['1m', '24h', '24h'])
  assert.deepEqual(object.remarks, [
    'Middleware.CheckPeriod: one minute is the longest',
    'Middleware.FallbackDuration: one day is the longest',
    'Middleware.RecoveryDuration: one day is the longest',
  ])
  assert.deepEqual(admitted(longest), admitted(object))
  assert.equal(longest.remarks, undefined)
})

test('a ratio that is never reached is set aside with its reason', () => {
  const { kind, id, value } = middleware('cbreaker', {
    Condition: 'NetworkErrorRatio() > 2.0',
    Fallback: response,
  })

  assert.match(
    validateObject(kind, id, value, String) ?? '',
    /found "?2\.0"?, expected a ratio from 0 to 1, .+ \(at character 23\)$/,
  )
})

test('a body in base64 is decoded where that gives text, and else is sent as it stands', () => {
  const read = (body: unknown): DeclaredObject =>
    middleware('cbreaker', {
      Condition: 'NetworkErrorRatio() > 0.5',
      Fallback: { Type: 'response', Action: { StatusCode: 503, Body: body } },
      ...{ CheckPeriod: 1e8, FallbackDuration: 1e10, RecoveryDuration: 1e10 },
    })
  const bodyOf = (object: DeclaredObject): unknown =>
    (admitted(object) as { fallback: { respond: { body?: unknown } } }).fallback.respond.body

  assert.equal(bodyOf(read('test')), 'test')
  assert.deepEqual(read('test').remarks, [
    'Middleware.Fallback.Action.Body is sent as it is; vulcand decodes it as base64, which gives no text',
  ])
  const encoded = read(Buffer.from('Später\n').toString('base64'))
  assert.equal(bodyOf(encoded), 'Später\n')
  assert.equal(encoded.remarks, undefined)
  assert.equal(read('Come back').remarks, undefined)
  assert.equal(bodyOf(read({ error: 'later' })), '{"error":"later"}')
  assert.equal(bodyOf(read(undefined)), undefined)
})

test('a circuit breaker that vulcand would refuse is one fault', () => {
  const fault = (options: object): string | undefined =>
    middleware('cbreaker', {
      Condition: 'NetworkErrorRatio() > 0.5',
      Fallback: response,
      ...options,
    }).fault

  assert.equal(fault({ Fallback: null }), 'Middleware.Fallback is missing')
  assert.match(fault({ Fallback: '{' }) ?? '', /^Middleware\.Fallback: /)
  assert.equal(fault({ Fallback: 7 }), 'Middleware.Fallback: must be a map or its JSON text, not 7')
  assert.equal(
    fault({ Fallback: { Type: 'nap' } }),
    'Middleware.Fallback.Type: must be response or redirect, not "nap"',
  )
  assert.equal(
    fault({ Fallback: { Type: 'response', Action: {} } }),
    'Middleware.Fallback.Action.StatusCode: must be more than 0',
  )
  assert.equal(
    fault({ OnStandby: { Type: 'webhook', Action: { URL: 'http://h/' } } }),
    'Middleware.OnStandby.Action.Method is missing',
  )
  assert.equal(fault({ Condition: '' }), 'Middleware.Condition is missing')
  assert.equal(
    fault({ CheckPeriod: 1e19 }),
    'Middleware.CheckPeriod: is larger than 64 bits can hold: 10000000000000000000',
  )
  assert.equal(
    fault({ CheckPeriod: 1.5 }),
    'Middleware.CheckPeriod: must be a whole number, not 1.5',
  )
  assert.equal(fault({ CheckPeriod: -1 }), 'Middleware.CheckPeriod: must not be negative')
})

test('a rewrite is read, and what would evaluate anything is refused', () => {
  const rule = { Regexp: '^http://localhost/foo(.*)', Replacement: 'http://localhost$1' }

  assert.deepEqual(admitted(middleware('rewrite', { ...rule, Redirect: true })), {
    kind: 'rewrite',
    priority: 3,
    regexp: rule.Regexp,
    replacement: rule.Replacement,
    redirect: true,
    body: false,
  })
  const ofBody = middleware('rewrite', { RewriteBody: true })
  assert.deepEqual(admitted(ofBody), {
    ...{ kind: 'rewrite', priority: 3, regexp: '', replacement: '', redirect: false, body: true },
  })
  assert.deepEqual(ofBody.remarks, [
    'Middleware.RewriteBody: only variables of the request are replaced, not Authorization or Cookie; other templates are sent as they are',
  ])
  assert.equal(middleware('rewrite', {}).fault, 'Middleware.Regexp is missing')
  const template = middleware('rewrite', { ...rule, Replacement: '{{.Request.Header}}' })
  const { kind, id, value } = template
  assert.match(validateObject(kind, id, value, String) ?? '', /has the unknown variable/)
})

test('a trace is read', () => {
  const Addr = 'syslog://127.0.0.1:514?f=MAIL&sev=INFO&prefix=%40cee%3A%20'
  assert.deepEqual(
    admitted(middleware('trace', { Addr, ReqHeaders: ['X-A'], RespHeaders: ['X-B'] })),
    {
      ...{ kind: 'trace', priority: 3, to: Addr },
      ...{ requestHeaders: ['X-A'], responseHeaders: ['X-B'] },
    },
  )
  assert.equal(middleware('trace', {}).fault, 'Middleware.Addr is missing')
  assert.deepEqual(middleware('trace', { Addr: 'syslog://' }).remarks, [
    'Middleware.Addr: traces go to 127.0.0.1:514 by UDP; sockets of datagrams such as /dev/log cannot be written to',
  ])
})

test('forwarding headers of a frontend are read', () => {
  const object = frontend({ TrustForwardHeader: true, Hostname: 'edge-1' })

  assert.deepEqual(admitted(object), {
    route: 'Path("/")',
    backend: 'b',
    passHost: false,
    forwarded: { trust: true, server: 'edge-1' },
  })
  assert.equal(object.remarks, undefined)
  const stream = frontend({ Stream: true, StreamFlushIntervalNanoSecs: 1 })
  assert.deepEqual(stream.remarks, [
    'Settings.StreamFlushIntervalNanoSecs has no effect: data is sent when it comes',
  ])
})

test('a failover predicate decides up to the tries of vulcand', () => {
  const FailoverPredicate = 'IsNetworkError() && Attempts() <= 1'

  assert.deepEqual(admitted(frontend({ FailoverPredicate })), {
    route: 'Path("/")',
    backend: 'b',
    passHost: false,
    retry: { attempts: 11, when: FailoverPredicate, buffer: 1_048_576 },
  })
  const wrong = frontend({ FailoverPredicate: 'Bad()' })
  assert.match(
    validateObject('frontend', 'f', wrong.value, String) ?? '',
    /^retry\.when: .+ \(at character 1\)$/,
  )
})

test('limits of a body are read, and what is kept of one is bounded', () => {
  const limits = { MaxBodyBytes: 2048, MaxMemBodyBytes: 2 ** 30 }
  const object = frontend({ Limits: limits })

  assert.deepEqual(admitted(object), {
    route: 'Path("/")',
    backend: 'b',
    passHost: false,
    retry: { buffer: 16_777_216 },
    bodylimit: { size: 2048 },
  })
  assert.deepEqual(object.remarks, [
    'Settings.Limits.MaxMemBodyBytes: 16777216 bytes are kept at most',
  ])
  assert.equal(
    frontend({ Limits: { MaxBodyBytes: -1 } }).fault,
    'Settings.Limits.MaxBodyBytes: must not be negative',
  )
})

test('a stream has neither limits nor a predicate', () => {
  const object = frontend({
    Stream: true,
    Limits: { MaxBodyBytes: 1, MaxMemBodyBytes: 2 },
    FailoverPredicate: 'Attempts() < 2',
  })

  assert.deepEqual(admitted(object), {
    route: 'Path("/")',
    backend: 'b',
    passHost: false,
    retry: { buffer: 0 },
  })
  assert.deepEqual(object.remarks, [
    'Settings.Limits.MaxMemBodyBytes has no effect with Stream, as in vulcand',
    'Settings.Limits.MaxBodyBytes has no effect with Stream, as in vulcand',
    'Settings.FailoverPredicate has no effect with Stream, as in vulcand',
  ])
})

test('a limit of no connections refuses all, and is held to its variable like any other', () => {
  const none = { Connections: 0, Variable: 'client.ip' }

  assert.deepEqual(admitted(middleware('connlimit', none)), {
    ...{ kind: 'respond', status: 429, body: 'max connections reached: 0', priority: 3 },
  })
  for (const Variable of ['client.port', 'request.header.', 'x']) {
    assert.match(
      middleware('connlimit', { Connections: 0, Variable }).fault ?? '',
      /^Middleware\.Variable: must be client\.ip/,
    )
  }
})
