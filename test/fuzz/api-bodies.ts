/**
 * Mutated bodies for the API that writes objects, each from one number: valid JSON of every kind of object, with faults where
 * readers break. What comes back is 2xx or 4xx, and no value that admission would set aside is ever stored.
 */
import { createChance, type Chance } from './random.ts'

export interface BodyCase {
  readonly method: 'PUT' | 'PATCH' | 'POST'
  readonly path: string
  readonly body: string
}

const VALUES: Readonly<Record<string, unknown>> = {
  'listener/l1': { address: '127.0.0.1:8080', timeouts: { head: '5s' }, limits: { head: '16KiB' } },
  'host/a.test': { cert: 'x', key: 'y', default: false },
  'backend/b1': {
    balance: 'random',
    servers: { s1: { url: 'http://10.0.0.1:80', weight: 2 } },
    health: { path: '/' },
  },
  'server/b1/s1': { url: 'http://10.0.0.1:80', weight: 1, drain: false, labels: { a: 'b' } },
  'frontend/f1': {
    route: 'Host("a") && Path("/b")',
    backend: 'b1',
    priority: 1,
    retry: { attempts: 2 },
  },
  'middleware/f1/m1': { kind: 'ratelimit', requests: 1, period: '1s', key: 'client.ip' },
}
const PACKS: Readonly<Record<string, unknown>> = {
  '/v2/hosts': { Host: { Name: 'a.test', Settings: { Default: false, OCSP: { Period: '1h' } } } },
  '/v2/listeners': {
    Listener: { Id: 'l1', Protocol: 'http', Address: { Network: 'tcp', Address: '127.0.0.1:1' } },
  },
  '/v2/backends': {
    Backend: {
      Id: 'b1',
      Type: 'http',
      Settings: { Timeouts: { Read: '1s' }, KeepAlive: { MaxIdleConnsPerHost: 1 } },
    },
  },
  '/v2/backends/b1/servers': { Server: { Id: 's1', URL: 'http://10.0.0.1:80' }, TTL: '5s' },
  '/v2/frontends': {
    Frontend: {
      Id: 'f1',
      Route: 'Host("a")',
      Type: 'http',
      BackendId: 'b1',
      Settings: { Limits: { MaxBodyBytes: 1 } },
    },
  },
  '/v2/frontends/f1/middlewares': {
    Middleware: {
      Id: 'm1',
      Type: 'cbreaker',
      Priority: 1,
      Middleware: {
        Condition: 'NetworkErrorRatio() > 0.5',
        Fallback: { Type: 'response', Action: { StatusCode: 400, Body: 'x' } },
      },
    },
  },
}
const ODD: readonly unknown[] = [
  ...[
    null,
    true,
    0,
    -1,
    1e308,
    -0,
    1.5,
    2 ** 53,
    '',
    ' ',
    '0',
    '__proto__',
    'constructor',
    '(hidden)',
    '\u0000',
    '\ud800',
  ],
  ...[
    'Host(',
    '"',
    '$' + '{env:HOME}',
    'http://169.254.169.254/',
    'unix:/x',
    '9'.repeat(400),
    'x'.repeat(5000),
  ],
  ...[[], {}, [null], [[[[]]]], { a: { b: { c: {} } } }, { __proto__: null, vulcand: {} }],
]
const TEXTS = [
  ...[
    '{"__proto__":{"a":1}}',
    '{"a":1,"a":2}',
    '[',
    '{',
    '"',
    '{"a":',
    '\ufeff{}',
    '{}{}',
    'NaN',
    "{'a':1}",
    '{"a":1,}',
  ],
  ...[
    '['.repeat(20_000),
    '{"a":'.repeat(5_000),
    '{"vulcand":{"vulcand":{}}}',
    '{"vulcand":null}',
    '\u0000',
    '1e999',
  ],
]

export function bodyCase(seed: number): BodyCase {
  const chance = createChance(seed)
  const isVulcand = chance.once(2)
  const [path, value] = chance.pick(Object.entries(isVulcand ? PACKS : VALUES))
  const method = isVulcand ? 'POST' : chance.pick(['PUT', 'PATCH'] as const)
  const mutated = mutate(structuredClone(value), chance)
  let body = chance.once(20) ? chance.pick(TEXTS) : JSON.stringify(mutated)
  if (chance.once(6)) body = scratch(body, chance)
  return { method, path: isVulcand ? path : `/api/objects/${path}`, body }
}

function mutate(value: unknown, chance: Chance): unknown {
  const faults = 1 + chance.below(3)
  let whole = value
  for (let fault = 0; fault < faults; fault++) whole = once(whole, chance)
  return whole
}

function once(value: unknown, chance: Chance): unknown {
  if (typeof value !== 'object' || value === null || chance.once(8))
    return structuredClone(chance.pick(ODD))
  const names = Object.keys(value)
  const map = value as Record<string, unknown>
  if (names.length === 0 || chance.once(5)) {
    map[chance.pick(['', 'x', 'vulcand', 'kind', 'url', 'Id', 'ID', 'constructor', 'a b'])] =
      structuredClone(chance.pick(ODD))
    return map
  }
  const name = chance.pick(names)
  if (chance.once(5)) delete map[name]
  else if (chance.once(6)) map[name.toUpperCase()] = structuredClone(map[name])
  else map[name] = once(map[name], chance)
  return map
}

/** Some bytes are lost, doubled or replaced. */
function scratch(text: string, chance: Chance): string {
  const at = chance.below(Math.max(1, text.length))
  const more = chance.pick(['', '{', '}', '"', ',', '\\', '\u0000', '\ud800', 'é', '[', ':', '1'])
  return text.slice(0, at) + more + text.slice(at + chance.below(4))
}
