// Limits, breakers, retries, probes and stickiness of Traefik's keys. What is read has to be what admission takes.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { validateObject } from '../../src/control/admission/validate-object.ts'
import { createLayout } from '../support/layouts.ts'
import { createMirror } from '../../src/providers/registry/mirror.ts'
import type { DeclaredObject } from '../../src/providers/provider.ts'

type Keys = Readonly<Record<string, string>>

function objectsOf(keys: Keys): readonly DeclaredObject[] {
  const mirror = createMirror(createLayout('traefik', { sealKey: null }))
  for (const [path, text] of Object.entries(keys)) {
    mirror.put({ path, key: `/traefik/${path}`, text })
  }
  return [...mirror.declare({ revision: '', listed: 'first', changedAt: 0 }).objects]
}

function prefixed(prefix: string, keys: Keys): Keys {
  return Object.fromEntries(Object.entries(keys).map(([name, text]) => [prefix + name, text]))
}

interface Value {
  readonly middlewares?: readonly unknown[]
  readonly retry?: unknown
  readonly respond?: unknown
  readonly paths?: unknown
}

/** A router with one middleware. */
function routerWith(middleware: Keys): {
  readonly value: Value
  readonly remarks: readonly string[]
} {
  const [router] = objectsOf({
    'http/routers/r/rule': 'Host(`a`)',
    'http/routers/r/service': 's',
    'http/routers/r/middlewares/0': 'm',
    ...prefixed('http/middlewares/m/', middleware),
  })
  assert.ok(router)
  assert.equal(router.fault, undefined)
  assert.equal(validateObject('frontend', 'r', router.value, String), null)
  return { value: router.value as Value, remarks: router.remarks ?? [] }
}

function middlewaresOf(middleware: Keys): readonly unknown[] | undefined {
  return routerWith(middleware).value.middlewares
}

function whyClosed(middleware: Keys): string {
  const { value, remarks } = routerWith(middleware)
  assert.deepEqual(value.respond, { status: 503, body: 'This route is closed.\n' })
  return (remarks.at(-1) ?? '').replace('is closed, requests get 503: ', '')
}

function serviceOf(keys: Keys): { readonly value: unknown; readonly remarks: readonly string[] } {
  const [service] = objectsOf(prefixed('http/services/s/loadbalancer/', keys))
  assert.ok(service)
  assert.equal(service.fault, undefined)
  assert.equal(validateObject('backend', 's', service.value, String), null)
  return { value: service.value, remarks: service.remarks ?? [] }
}

test('a rate limit is read, of the client unless it says of whom', () => {
  const limit = { 'ratelimit/average': '100' }

  assert.deepEqual(middlewaresOf(limit), [
    { kind: 'ratelimit', requests: 100, period: '1s', burst: 1, key: 'client.ip/128' },
  ])
  assert.deepEqual(
    middlewaresOf({
      ...limit,
      'rateLimit/Period': '1m',
      'ratelimit/burst': '50',
      'ratelimit/sourcecriterion/requestheadername': 'X-Key',
    }),
    [{ kind: 'ratelimit', requests: 100, period: '1m', burst: 50, key: 'request.header.X-Key' }],
  )
  const criterion = (keys: Keys): unknown => {
    const [first] = middlewaresOf({
      ...limit,
      ...prefixed('ratelimit/sourcecriterion/', keys),
    }) as [{ key: string }]
    return first.key
  }
  assert.equal(criterion({ requesthost: 'true' }), 'request.host')
  assert.equal(criterion({ 'ipstrategy/ipv6subnet': '64' }), 'client.ip/64')
  assert.equal(criterion({ 'ipstrategy/depth': '0' }), 'client.ip/128')
})

test('an average of 0 is no limit', () => {
  assert.equal(middlewaresOf({ 'ratelimit/average': '0' }), undefined)
})

test('a guard that cannot be honoured closes its router', () => {
  const limit = { 'ratelimit/average': '1' }

  assert.equal(
    whyClosed({ ...limit, 'ratelimit/sourcecriterion/ipstrategy/depth': '1' }),
    'middleware "m": ratelimit/sourcecriterion/ipstrategy/depth is not supported: only the address that connects is used',
  )
  assert.equal(
    whyClosed({ ...limit, 'ratelimit/sourcecriterion/ipstrategy/excludedips/0': '::1' }),
    'middleware "m": "ratelimit/sourcecriterion/ipstrategy/excludedips" is not supported yet',
  )
  assert.equal(
    whyClosed({ ...limit, 'ratelimit/redis/endpoints/0': 'a:1' }),
    'middleware "m": "ratelimit/redis" is not supported yet',
  )
  assert.match(
    whyClosed({
      ...limit,
      'ratelimit/sourcecriterion/requesthost': 'true',
      'ratelimit/sourcecriterion/requestheadername': 'X',
    }),
    /must be one of ipstrategy, requestheadername, requesthost$/,
  )
  assert.match(whyClosed({ 'ratelimit/average': '-1' }), /average: must not be negative$/)
  assert.match(whyClosed({ 'inflightreq/amount': '0' }), /amount: must be more than 0, not 0$/)
  assert.match(whyClosed({ 'inflightreq/x': '0' }), /"inflightreq\/x" is not supported yet$/)
  assert.match(
    whyClosed({ 'buffering/maxresponsebodybytes': '5' }),
    /"buffering\/maxresponsebodybytes" is not supported yet$/,
  )
  assert.match(whyClosed({ 'circuitbreaker/checkperiod': '1s' }), /expression is missing$/)
})

test('an expression that admission would refuse closes its router', () => {
  const position = /circuitbreaker\/expression: .+ \(at character 1\)$/

  assert.match(whyClosed({ 'circuitbreaker/expression': 'Bad() > 1' }), position)
  assert.match(
    whyClosed({ 'circuitbreaker/expression': 'NetworkErrorRatio() > 2' }),
    /expected a ratio from 0 to 1, .+ \(at character 23\)$/,
  )
  assert.match(
    whyClosed({ 'buffering/retryexpression': 'Attempts() < 2 && Bad()' }),
    /buffering\/retryexpression: .+ \(at character 19\)$/,
  )
})

test('a limit of requests in flight is of a host, unless it says of whom', () => {
  assert.deepEqual(middlewaresOf({ 'inflightreq/amount': '10' }), [
    { kind: 'connlimit', connections: 10, key: 'request.host' },
  ])
  assert.deepEqual(
    middlewaresOf({
      'inflightreq/amount': '10',
      'inflightreq/sourcecriterion/ipstrategy/depth': '0',
    }),
    [{ kind: 'connlimit', connections: 10, key: 'client.ip/128' }],
  )
})

test('encoded characters are the policy for paths where it can refuse as much', () => {
  const option = (name: string): string => `encodedcharacters/allowEncoded${name}`
  const others = Object.fromEntries(
    ['Semicolon', 'Percent', 'QuestionMark', 'Hash'].map((name) => [option(name), 'true']),
  )
  const separators = { [option('Slash')]: 'true', [option('BackSlash')]: 'true' }

  assert.equal(routerWith({ ...others, ...separators }).value.paths, 'normalize')
  assert.equal(routerWith(others).value.paths, 'reject')
  assert.deepEqual(routerWith({ ...others, [option('NullCharacter')]: 'true' }).remarks, [
    'an escaped NUL in a path is refused all the same',
  ])
  assert.match(whyClosed(separators), /allowencodedsemicolon: must be true/)
  assert.match(whyClosed({ ...others, [option('Slash')]: 'true' }), /must be the same$/)
  assert.match(whyClosed({ ...others, [option('Space')]: 'true' }), /is not supported yet$/)
})

test('a circuit breaker is read with the defaults of Traefik', () => {
  const expression = 'LatencyAtQuantileMS(50.0) > 100'

  assert.deepEqual(middlewaresOf({ 'circuitbreaker/expression': expression }), [
    {
      kind: 'breaker',
      condition: expression,
      requests: 0,
      check: '100ms',
      tripped: '10s',
      recovery: '10s',
      fallback: { respond: { status: 503 } },
    },
  ])
  assert.deepEqual(
    middlewaresOf({
      'circuitbreaker/expression': expression,
      'circuitbreaker/checkperiod': '200ms',
      'circuitbreaker/fallbackduration': '20',
      'circuitbreaker/recoveryduration': '30s',
      'circuitbreaker/responsecode': '429',
    }),
    [
      {
        kind: 'breaker',
        condition: expression,
        requests: 0,
        check: '200ms',
        tripped: '20s',
        recovery: '30s',
        fallback: { respond: { status: 429 } },
      },
    ],
  )
})

test('retries are the retries of the frontend', () => {
  const retry = (keys: Keys): unknown => routerWith(prefixed('retry/', keys)).value.retry

  assert.deepEqual(retry({ attempts: '3', initialinterval: '100ms' }), {
    attempts: 3,
    backoff: '100ms',
  })
  assert.deepEqual(retry({ attempts: '1', initialinterval: '100ms' }), { attempts: 1 })
  const { value, remarks } = routerWith({ 'retry/attempts': '40', 'retry/timeout': '1s' })
  assert.deepEqual(value.retry, { attempts: 11 })
  assert.deepEqual(remarks, ['retry/attempts: 11 is the most', '"retry/timeout" is not honoured'])
})

test('buffering is a limit of bodies and a predicate of retries', () => {
  const { value, remarks } = routerWith({
    'buffering/maxrequestbodybytes': '2000',
    'buffering/memrequestbodybytes': '1000',
    'buffering/memresponsebodybytes': '1000',
    'buffering/retryexpression': 'IsNetworkError() && Attempts() < 2',
  })

  assert.deepEqual(value.middlewares, [{ kind: 'bodylimit', size: 2000 }])
  assert.deepEqual(value.retry, {
    attempts: 11,
    when: 'IsNetworkError() && Attempts() < 2',
    buffer: 1000,
  })
  assert.deepEqual(remarks, [
    'buffering/memresponsebodybytes is not honoured: responses are streamed',
  ])
})

test('the outermost of two middlewares that retry counts', () => {
  const [router] = objectsOf({
    'http/routers/r/rule': 'Host(`a`)',
    'http/routers/r/service': 's',
    'http/routers/r/middlewares': 'one,two',
    'http/middlewares/one/retry/attempts': '2',
    'http/middlewares/two/retry/attempts': '3',
  })

  assert.deepEqual((router?.value as Value).retry, { attempts: 2 })
  assert.deepEqual(router?.remarks, ['a second middleware that retries is not honoured'])
})

test('gRPC-Web is translated, with the origins that may call', () => {
  const origins = {
    'grpcweb/alloworigins/0': 'https://app.example',
    'grpcweb/alloworigins/1': 'http://localhost:3000',
  }

  assert.deepEqual(middlewaresOf(origins), [
    { kind: 'grpcWeb', allowOrigins: ['https://app.example', 'http://localhost:3000'] },
  ])
  assert.deepEqual(middlewaresOf({ 'grpcweb/alloworigins': '*' }), [
    { kind: 'grpcWeb', allowOrigins: ['*'] },
  ])
  assert.deepEqual(middlewaresOf({ grpcweb: 'true' }), [{ kind: 'grpcWeb', allowOrigins: [] }])
  assert.match(whyClosed({ 'grpcweb/allowheaders': 'x' }), /"grpcweb\/allowheaders"/)
})

test('servers with https are asked by HTTP/2 if they choose it, as by Traefik', () => {
  const urls = ['https://10.0.0.1', 'http://10.0.0.2', 'h2c://10.0.0.3']

  const servers = objectsOf(
    Object.fromEntries(
      urls.map((url, at) => [`http/services/s/loadbalancer/servers/${at}/url`, url]),
    ),
  )

  assert.deepEqual(
    servers.map(({ value }) => value),
    [
      { url: 'https://10.0.0.1', weight: 1, protocol: 'auto' },
      { url: 'http://10.0.0.2', weight: 1 },
      { url: 'h2c://10.0.0.3', weight: 1 },
    ],
  )
})

test('a service is probed as Traefik does it', () => {
  assert.deepEqual(serviceOf({ 'healthcheck/path': '/healthz' }), {
    value: {
      health: {
        path: '/healthz',
        interval: '30s',
        downInterval: '30s',
        timeout: '5s',
        rise: 1,
        fall: 1,
        waitHealthy: false,
      },
    },
    remarks: [],
  })
  assert.deepEqual(
    serviceOf(
      prefixed('healthcheck/', {
        path: 'healthz',
        hostname: 'vote.example',
        port: '9000',
        interval: '10',
        unhealthyinterval: '2s',
        timeout: '3s',
        method: 'head',
        status: '204',
        'headers/X-Probe': 'yes',
        followredirects: 'true',
      }),
    ),
    {
      value: {
        health: {
          path: '/healthz',
          method: 'HEAD',
          host: 'vote.example',
          headers: { 'X-Probe': 'yes' },
          status: 204,
          port: 9000,
          interval: '10s',
          downInterval: '2s',
          timeout: '3s',
          rise: 1,
          fall: 1,
          waitHealthy: false,
        },
      },
      remarks: [
        'loadbalancer/healthcheck/followredirects is not honoured: a 3xx response is a success by itself',
      ],
    },
  )
})

test('a probe that may take longer than the interval ends with it, which is said', () => {
  const path = { 'healthcheck/path': '/', 'healthcheck/interval': '2s' }
  const timesOf = ({ value }: { value: unknown }): unknown => {
    const { interval, timeout } = (value as { health: Record<string, unknown> }).health
    return [interval, timeout]
  }

  const longer = serviceOf({ ...path, 'healthcheck/timeout': '3s' })
  const normal = serviceOf(path)

  assert.deepEqual(timesOf(longer), ['2s', '2s'])
  assert.deepEqual(longer.remarks, [
    'loadbalancer/healthcheck/timeout: a probe ends after the interval, 2s',
  ])
  assert.deepEqual([timesOf(normal), normal.remarks], [['2s', '2s'], []])
})

test('a probe by gRPC is one', () => {
  const health = serviceOf({ 'healthcheck/mode': 'GRPC', 'healthcheck/port': '9000' })

  assert.deepEqual(health, {
    value: {
      protocol: 'h2',
      health: {
        grpc: {},
        port: 9000,
        interval: '30s',
        downInterval: '30s',
        timeout: '5s',
        rise: 1,
        fall: 1,
        waitHealthy: false,
      },
    },
    remarks: [],
  })
})

test('a probe that cannot be made as it is meant is not made', () => {
  const path = { 'healthcheck/path': '/' }

  assert.deepEqual(serviceOf({ ...path, 'healthcheck/mode': 'udp' }), {
    value: {},
    remarks: ['loadbalancer/healthcheck/mode: "udp" is not known; the servers are not probed'],
  })
  assert.deepEqual(serviceOf({ ...path, 'healthcheck/scheme': 'https' }).value, {})
  assert.deepEqual(serviceOf({ 'healthcheck/interval': '1s' }), {
    value: {},
    remarks: ['loadbalancer/healthcheck/path is missing; the servers are not probed'],
  })
})

test('a sticky cookie is read', () => {
  assert.deepEqual(serviceOf({ 'sticky/cookie': 'true' }), { value: { sticky: {} }, remarks: [] })
  assert.deepEqual(
    serviceOf(
      prefixed('sticky/cookie/', {
        name: 'lb',
        samesite: 'Strict',
        maxage: '60',
        path: '/shop',
        secure: 'true',
        httponly: 'false',
        domain: 'vote.example',
      }),
    ),
    {
      value: { sticky: { cookie: 'lb', sameSite: 'strict', path: '/shop', maxAge: 60 } },
      remarks: [
        '"loadbalancer/sticky/cookie/domain" is not honoured',
        'loadbalancer/sticky/cookie/httponly is not honoured: the cookie is never for scripts',
        'loadbalancer/sticky/cookie/secure: the cookie is Secure where the client came over TLS',
      ],
    },
  )
})

test('a strategy is the policy that does the same', () => {
  const valueOf = (strategy: string): unknown => serviceOf({ strategy }).value

  assert.deepEqual(valueOf('wrr'), {})
  assert.deepEqual(valueOf('p2c'), { balance: 'least-connections' })
  assert.deepEqual(valueOf('hrw'), { balance: 'hash', hash: { from: 'client-ip' } })
  assert.deepEqual(valueOf('leasttime'), { balance: 'peak-ewma' })
  assert.deepEqual(serviceOf({ strategy: 'magic' }).remarks, [
    'loadbalancer/strategy: "magic" is not known',
  ])
})
