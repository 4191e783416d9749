/** Whole tables of hostile objects: what three sources may declare at their worst, seeded, so that a failure comes again. */
import type { ObjectKind } from '../../src/model/names.ts'
import type { DeclaredObject } from '../../src/providers/provider.ts'
import type { Chance } from './random.ts'

export const SOURCES = ['file', 'redis', 'etcd'] as const

/** Few names, so that sources meet in them; and such as break what is careless. */
const WHOLES: readonly string[] = [
  ...['a', 'b', 'c', 'b'.repeat(121), 'b'.repeat(125), 'b'.repeat(128), 'b'.repeat(129)],
  ...['a@redis', 'b@file', 'b@etcd@redis', `${'b'.repeat(125)}@redis`, 'a@', '@a', '@@'],
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype', 'valueOf'],
  ...['', ' ', '.', '..', '0', '-1', 'é', '\u0000', '\ud800', '💥', '\u202eb', 'a\r\nb', 'a b'],
]

const NAMES = ['a', 'b', 'c', 'b'.repeat(125), 'a@redis', 'b@file', `${'b'.repeat(125)}@redis`]

const HOOK = { url: 'http://hooks.example/x', form: { text: 'down' } }

const HOOK_OF_SCALE = {
  url: 'http://hooks.example/scale',
  secret: 'long-enough-for-a-secret',
  headers: { Authorization: 'x' },
}

const BREAKER = {
  condition: 'NetworkErrorRatio() > 0.5',
  requests: 20,
  check: '100ms',
  tripped: '10s',
  recovery: '10s',
  onTripped: HOOK,
  onStandby: 'http://hooks.example/y',
}

const MIDDLEWARES: Readonly<Record<string, object>> = {
  adaptive: { initial: 20, min: 5, max: 200, tolerance: 1.5, smoothing: 0.2 },
  bodylimit: { size: '1MiB' },
  breaker: { ...BREAKER, fallback: { backend: 'b' } },
  connlimit: { connections: 10, key: 'client.ip' },
  headers: { request: { set: { 'X-A': '1' }, remove: ['X-B'] }, response: { add: { 'X-C': '2' } } },
  inflight: { requests: 100, queue: 5, wait: '1s' },
  ratelimit: { requests: 100, period: '1s', burst: 200, key: 'request.header.X-Key' },
}

const ACTUATORS: readonly object[] = [
  { swarm: { service: 'shop_vote' } },
  { docker: { label: 'app=vote', stop: '10s' } },
  { compose: { service: 'vote', files: ['compose.yaml'] } },
  { marathon: { app: '/shop/vote' } },
  { webhook: { ...HOOK_OF_SCALE, observe: 'http://hooks.example/count' } },
  { process: { command: ['node', 'app.mjs', '{port}'], port: 5001 } },
]

const SCALES: readonly object[] = [
  { min: 1, max: 10, concurrency: 50, rps: { target: 100, utilisation: '70%' } },
  { min: 2, max: 20, latency: { target: '250ms', deadBand: '20%', step: '50%' }, dryRun: true },
  { min: 0, max: 5, zero: { idle: '5m', grace: '30s', maxPending: 100, timeout: '30s' } },
  { max: 9, stableWindow: '60s', panicWindow: '6s', panicThreshold: 2, upRate: 10, downRate: 2 },
  { max: 9, downDelay: '5m', cooldown: { up: '10s', down: '1m' } },
  {
    max: 9,
    inputs: {
      ...{ hold: '5m', orbiter: { up: 2, down: 1 }, alertmanager: {} },
      prometheus: { url: 'http://prometheus:9090', query: 'sum(up)', target: 1, interval: '15s' },
    },
  },
]

const ANSWERS: Readonly<Record<string, object>> = {
  redirect: { to: 'https://vote.example', status: 308, keepPath: true },
  respond: { status: 403, body: 'Not here', type: 'text/plain', fields: { 'X-Why': 'private' } },
}

const ROUTES = [
  'Host("vote.example")',
  'Host("<name>.example") && PathPrefix("/api")',
  'PathRegexp("^/a+$") || Method("GET")',
  '!Header("X-A", "b") && Query("x", "1")',
  'ClientIP("10.0.0.0/8")',
  `${'('.repeat(70)}Path("/")${')'.repeat(70)}`,
  `Host("${'h'.repeat(9000)}")`,
  'Path("/\\ud800")',
  'HostRegexp("(a+)+$")',
  'Path(',
]

export function hostileObject(chance: Chance): DeclaredObject {
  const kind = chance.pick<ObjectKind>([
    ...(['backend', 'backend', 'frontend', 'frontend', 'frontend'] as const),
    ...(['server', 'middleware', 'middleware', 'listener', 'host'] as const),
  ])
  const whole = chance.once(3) ? chance.pick(WHOLES) : chance.pick(NAMES)
  const part = chance.once(4) ? chance.pick(WHOLES) : chance.pick(NAMES)
  const id = kind === 'server' || kind === 'middleware' ? `${whole}/${part}` : whole
  const value = mutate(template(kind, chance), chance)
  const object = { kind, id, value, key: `${kind}/${id}` }
  if (chance.once(20)) return { ...object, value: null, fault: 'is not JSON' }
  return chance.once(10) ? { ...object, secrets: ['hooks'], remarks: ['odd'] } : object
}

function template(kind: ObjectKind, chance: Chance): unknown {
  switch (kind) {
    case 'listener':
      return {
        address: '127.0.0.1:0',
        protocol: 'http',
        scope: chance.pick(ROUTES),
        limits: { head: '16KiB' },
      }
    case 'host':
      return { certificate: { cert: '-----BEGIN CERTIFICATE-----', key: 'x' } }
    case 'backend':
      return {
        balance: chance.pick(['round-robin', 'least-connections', 'hash', 'peak-ewma']),
        servers: { s1: 'http://10.0.0.1:80', s2: { url: 'http://10.0.0.2:80', weight: 2 } },
        health: { path: '/healthz', interval: '10s', timeout: '1s' },
        breaker: BREAKER,
        sticky: { cookie: 'lb', secret: 'long-enough-for-a-secret' },
        retry: { attempts: 2, when: 'IsNetworkError()' },
        tls: { serverName: 'b.example' },
        slowStart: '5s',
        ...(chance.once(2)
          ? { scale: { actuator: chance.pick(ACTUATORS), ...chance.pick(SCALES) } }
          : {}),
      }
    case 'server':
      return chance.pick<unknown>(['http://10.0.0.3:80', { url: 'http://10.0.0.4:80', weight: 1 }])
    case 'frontend':
      return frontend(chance)
    case 'middleware': {
      const [name, options] = chance.pick(Object.entries(MIDDLEWARES))
      return { kind: name, priority: chance.below(5), ...named(options, chance) }
    }
    default:
      return kind satisfies never
  }
}

function frontend(chance: Chance): object {
  const guards = Object.entries(MIDDLEWARES).filter(() => chance.once(3))
  const response = chance.once(6) ? [chance.pick(Object.entries(ANSWERS))] : []
  return {
    route: chance.pick(ROUTES),
    ...(response.length === 0 ? { backend: chance.pick(NAMES) } : {}),
    ...Object.fromEntries(guards.map(([name, options]) => [name, named(options, chance)])),
    ...Object.fromEntries(response),
  }
}

/** A breaker's fallback names another backend, or its own, or one that falls back to it. */
function named(options: object, chance: Chance): object {
  return 'fallback' in options ? { ...options, fallback: { backend: chance.pick(NAMES) } } : options
}

/** Mostly as it is: what is refused at its first member shows nothing of what comes behind. */
function mutate(value: unknown, chance: Chance): unknown {
  if (chance.once(2)) return value
  return change(value, chance, 0)
}

function change(value: unknown, chance: Chance, depth: number): unknown {
  if (chance.once(8) || depth > 6) return hostileValue(chance)
  if (Array.isArray(value)) {
    return value.map((item: unknown) => (chance.once(3) ? change(item, chance, depth + 1) : item))
  }
  if (typeof value !== 'object' || value === null)
    return chance.once(2) ? hostileValue(chance) : value
  const entries = Object.entries(value)
  const [name] = chance.pick(entries.length === 0 ? [['none', null]] : entries)
  const changed = entries.map(([key, item]): [string, unknown] =>
    key === name ? [key, change(item, chance, depth + 1)] : [key, item],
  )
  if (chance.once(6)) changed.push([chance.pick(WHOLES), hostileValue(chance)])
  return Object.fromEntries(changed)
}

function hostileValue(chance: Chance): unknown {
  return chance.pick<() => unknown>([
    () => chance.pick([0, -0, -1, 1.5, 1e308, -1e308, 2 ** 31, 2 ** 53, 1e-9, NaN, Infinity]),
    () => chance.pick(WHOLES),
    () => chance.pick(['x'.repeat(100_000), '\ud800', '$(HOME)', '[::1]:99999', 'http://[', '10s']),
    () => chance.pick([null, true, false, [], {}]),
    () => nested(chance.pick([10, 63, 64, 65, 1000]), chance.once(2)),
    () =>
      JSON.parse('{"__proto__": {"polluted": true}, "constructor": {"prototype": 1}}') as unknown,
    () => Array.from({ length: 300 }, (_, at) => `item ${at}`),
    () => Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`key${at}`, at])),
    () => ({ backend: chance.pick(WHOLES) }),
    () => ({ url: chance.pick(WHOLES), headers: { Authorization: 'x' } }),
  ])()
}

function nested(depth: number, isList: boolean): unknown {
  let value: unknown = 'deep'
  for (let at = 0; at < depth; at++) value = isList ? [value] : { in: value }
  return value
}
