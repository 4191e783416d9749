import assert from 'node:assert/strict'
import { test } from 'node:test'
import { topEndpoints } from '../../src/admin/vulcand/top.ts'
import { daemonEndpoints } from '../../src/admin/vulcand/daemon.ts'
import { vulcandEndpoints } from '../../src/admin/vulcand/endpoints.ts'
import { goSyntaxError } from '../../src/admin/vulcand/go-syntax.ts'
import type { WrittenLayout } from '../../src/control/writing/writer.ts'
import type { ObjectStatus } from '../../src/control/object-status.ts'
import type { LogLevel } from '../../src/model/settings.ts'
import { COUNT, COUNTERS } from '../../src/scoreboard/layout.ts'
import { createAuthority } from '../support/certificates.ts'
import {
  type ObjectsSite,
  type ObjectsSiteOptions,
  startObjectsSite,
} from '../support/objects-api.ts'
import type { TestContext } from 'node:test'

const SEAL_KEY = '1b727a055500edd9ab826840ce9428dc8bace1c04addc67bbac6b096e25ede4b'

function startVulcand(t: TestContext, options: ObjectsSiteOptions = {}): Promise<ObjectsSite> {
  let level: LogLevel = 'info'
  return startObjectsSite(t, {
    endpoints: (service) => [
      ...vulcandEndpoints({ service, isInForce: () => false }),
      ...daemonEndpoints({ level: () => level, setLevel: (next) => (level = next) }),
      ...topEndpoints({
        snapshot: () => ({ frontends: new Map(), backends: new Map() }),
        placed: () => ({ frontends: [], backends: [] }),
        readCounts() {},
        now: () => 0,
      }),
    ],
    ...options,
  })
}

type Exchange = readonly [method: string, path: string, body: unknown, status: number, text: string]

const BACKEND =
  '{"Id":"b1","Type":"http","Settings":{"Timeouts":{"Read":"","Dial":"","TLSHandshake":""},"KeepAlive":{"Period":"","MaxIdleConnsPerHost":0}}}'
const TIMED =
  '{"Id":"b2","Type":"http","Settings":{"Timeouts":{"Read":"5s","Dial":"300ms","TLSHandshake":"1m30s"},"KeepAlive":{"Period":"4s","MaxIdleConnsPerHost":10},"TLS":{"PreferServerCipherSuites":false,"InsecureSkipVerify":true,"MinVersion":"","MaxVersion":"","SessionTicketsDisabled":false,"SessionCache":{"Type":"","Settings":null},"CipherSuites":null}}}'
const SERVER = '{"Id":"s1","URL":"http://127.0.0.1:26940"}'
const FRONTEND =
  '{"Id":"hp","Route":"Host(\\"a\\") \\u0026\\u0026 Path(\\"/x\\")","Type":"http","BackendId":"b1","Settings":{"Limits":{"MaxMemBodyBytes":0,"MaxBodyBytes":0},"FailoverPredicate":"","Hostname":"","TrustForwardHeader":false,"PassHostHeader":false,"Stream":false,"StreamFlushIntervalNanoSecs":0}}'
const RATE_LIMIT =
  '{"Id":"r","Priority":0,"Type":"ratelimit","Middleware":{"PeriodSeconds":1,"Requests":1,"Burst":1,"Variable":"client.ip","RateVar":""}}'
const CONN_LIMIT =
  '{"Id":"c","Priority":1,"Type":"connlimit","Middleware":{"Connections":3,"Variable":"request.host"}}'
const LISTENER =
  '{"Id":"l1","Protocol":"http","Address":{"Network":"tcp","Address":"127.0.0.1:8300"},"Scope":"","ProxyProtocol":""}'
const HOST =
  '{"Name":"a.test","Settings":{"Default":false,"KeyPair":null,"AutoCert":null,"OCSP":{"Enabled":false,"Period":"","Responders":null,"SkipSignatureCheck":false}}}'
const ROUTE = 'Host("a") && Path("/x")'
const say = (message: string): string => JSON.stringify({ message })

/** In order; each leaves what the next ones need. */
const EXCHANGES: readonly Exchange[] = [
  ['GET', '/v1/status', undefined, 200, '{"Status":"ok"}'],
  ['GET', '/v2/status', undefined, 200, '{"Status":"ok"}'],
  ['GET', '/v2/nothing', undefined, 404, say('Object not found')],
  ['PUT', '/v2/backends', {}, 404, say('Object not found')],

  // vctl log
  [
    'PUT',
    '/v2/log/severity?severity=info',
    undefined,
    200,
    say('Severity has been updated to info'),
  ],
  ['GET', '/v2/log/severity', undefined, 200, '{"severity":"info"}'],
  [
    'PUT',
    '/v2/log/severity?severity=WARN',
    undefined,
    200,
    say('Severity has been updated to warning'),
  ],
  ['GET', '/v2/log/severity', undefined, 200, '{"severity":"warning"}'],
  [
    'PUT',
    '/v2/log/severity?severity=loud',
    undefined,
    400,
    say('not a valid logrus Level: "loud"'),
  ],

  // vctl backend
  ['GET', '/v2/backends', undefined, 200, '{"Backends":[]}'],
  ['GET', '/v2/backends/b1', undefined, 404, say('Key not found')],
  ['POST', '/v2/backends', { Backend: { Id: 'b1', Type: 'http' } }, 200, BACKEND],
  [
    'POST',
    '/v2/backends',
    '{"backend":{"id":"b2","TYPE":"http","Unknown":1,"settings":{"timeouts":{"read":"5s","Dial":"300ms","TLSHandshake":"1m30s"},"KeepAlive":{"Period":"4s","MaxIdleConnsPerHost":10},"TLS":{"InsecureSkipVerify":true}}}}',
    200,
    TIMED,
  ],
  ['GET', '/v2/backends', undefined, 200, `{"Backends":[${BACKEND},${TIMED}]}`],
  ['GET', '/v2/backends/b1', undefined, 200, BACKEND],
  [
    'POST',
    '/v2/backends',
    '{bad',
    400,
    say("invalid character 'b' looking for beginning of object key string"),
  ],
  ['POST', '/v2/backends', '{}', 400, say('Missing mandatory parameter: Backend')],
  ['POST', '/v2/backends', 'null', 400, say('Missing mandatory parameter: Backend')],
  ['POST', '/v2/backends', '{"Backend":null}', 400, say('Missing mandatory parameter: Backend')],
  ['POST', '/v2/backends', '', 400, say('unexpected end of JSON input')],
  ['POST', '/v2/backends', { Backend: { Id: 'b3' } }, 400, say('Unsupported backend type ')],
  [
    'POST',
    '/v2/backends',
    { Backend: { Id: '', Type: 'http' } },
    400,
    say('backend id can not be empty'),
  ],

  // vctl server
  ['GET', '/v2/backends/b1/servers', undefined, 200, '{"Servers":[]}'],
  [
    'POST',
    '/v2/backends/b1/servers',
    { Server: { Id: 's1', URL: 'http://127.0.0.1:26940' }, TTL: '0s' },
    200,
    SERVER,
  ],
  [
    'POST',
    '/v2/backends/b9/servers',
    { Server: { Id: 's1', URL: 'http://127.0.0.1:26940' } },
    404,
    say('Key not found'),
  ],
  ['GET', '/v2/backends/b1/servers', undefined, 200, `{"Servers":[${SERVER}]}`],
  ['GET', '/v2/backends/b1/servers/s1', undefined, 200, SERVER],
  ['GET', '/v2/backends/b1/servers/s2', undefined, 404, say('Key not found')],

  // vctl frontend
  ['GET', '/v2/frontends', undefined, 200, '{"Frontends":[]}'],
  [
    'POST',
    '/v2/frontends',
    { Frontend: { Id: 'hp', Route: ROUTE, Type: 'http', BackendId: 'b1' }, TTL: '' },
    200,
    FRONTEND,
  ],
  [
    'POST',
    '/v2/frontends',
    { Frontend: { Id: 'f', Route: ROUTE, Type: 'http', BackendId: 'b9' } },
    404,
    say('Key not found'),
  ],
  [
    'POST',
    '/v2/frontends',
    { Frontend: { Id: 'f', Route: 'Pth("/zz")', Type: 'http', BackendId: 'b1' } },
    400,
    say('route should be a valid route expression: Pth("/zz")'),
  ],
  [
    'POST',
    '/v2/frontends',
    { Frontend: { Id: 'f', Route: ROUTE, BackendId: 'b1' } },
    400,
    say('Unsupported frontend type: '),
  ],
  [
    'POST',
    '/v2/frontends',
    { Frontend: { Id: 'f', Route: ROUTE, Type: 'http' } },
    400,
    say('supply valid  route, id, and backendId'),
  ],
  ['GET', '/v2/frontends', undefined, 200, `{"Frontends":[${FRONTEND}]}`],
  ['GET', '/v2/frontends/hp', undefined, 200, FRONTEND],
  [
    'DELETE',
    '/v2/backends/b1',
    undefined,
    409,
    say("can not delete backend 'b1', it is in use by [hp]"),
  ],

  // vctl ratelimit, connlimit
  ['GET', '/v2/frontends/hp/middlewares', undefined, 200, '{"Middlewares":[]}'],
  [
    'POST',
    '/v2/frontends/hp/middlewares',
    {
      Middleware: {
        Id: 'r',
        Type: 'ratelimit',
        Middleware: { PeriodSeconds: 1, Requests: 1, Burst: 1, Variable: 'client.ip' },
      },
    },
    200,
    RATE_LIMIT,
  ],
  [
    'POST',
    '/v2/frontends/hp/middlewares',
    {
      Middleware: {
        Id: 'c',
        Type: 'connlimit',
        Priority: 1,
        Middleware: { Connections: 3, Variable: 'request.host' },
      },
    },
    200,
    CONN_LIMIT,
  ],
  [
    'POST',
    '/v2/frontends/f9/middlewares',
    JSON.parse(`{"Middleware":${RATE_LIMIT}}`),
    404,
    say('Key not found'),
  ],
  [
    'POST',
    '/v2/frontends/hp/middlewares',
    { Middleware: { Id: 'x', Type: 'nothing', Middleware: {} } },
    400,
    say('middleware of type nothing is not supported'),
  ],
  [
    'GET',
    '/v2/frontends/hp/middlewares',
    undefined,
    200,
    `{"Middlewares":[${CONN_LIMIT},${RATE_LIMIT}]}`,
  ],
  ['GET', '/v2/frontends/hp/middlewares/r', undefined, 200, RATE_LIMIT],
  ['DELETE', '/v2/frontends/hp/middlewares/c', undefined, 200, say('Middleware deleted')],

  // vctl listener
  ['GET', '/v2/listeners', undefined, 200, '{"Listeners":[]}'],
  [
    'POST',
    '/v2/listeners',
    {
      Listener: {
        Id: 'l1',
        Protocol: 'HTTP',
        Address: { Network: 'TCP', Address: '127.0.0.1:8300' },
        ProxyProtocol: 'none',
      },
    },
    200,
    LISTENER,
  ],
  [
    'POST',
    '/v2/listeners',
    { Listener: { Protocol: 'http', Address: { Network: 'tcp', Address: '127.0.0.1:8300' } } },
    400,
    say('listener id can not be empty'),
  ],
  ['GET', '/v2/listeners', undefined, 200, `{"Listeners":[${LISTENER}]}`],
  ['GET', '/v2/listeners/l1', undefined, 200, LISTENER],
  ['DELETE', '/v2/listeners/l1', undefined, 200, say('Listener deleted')],
  ['DELETE', '/v2/listeners/l1', undefined, 404, say('Key not found')],

  // vctl host
  ['GET', '/v2/hosts', undefined, 200, '{"Hosts":[]}'],
  ['POST', '/v2/hosts', { Host: { Name: 'a.test' } }, 200, HOST],
  ['POST', '/v2/hosts', { Host: {} }, 400, say('hostname can not be empty')],
  ['GET', '/v2/hosts', undefined, 200, `{"Hosts":[${HOST}]}`],
  ['GET', '/v2/hosts/a.test', undefined, 200, HOST],
  ['DELETE', '/v2/hosts/a.test', undefined, 200, say("Host 'a.test' deleted")],

  // vctl top
  ['GET', '/v2/top/frontends?limit=20', undefined, 200, '{"Frontends":[]}'],
  ['GET', '/v2/top/servers?backendId=b1', undefined, 200, '{"Servers":[]}'],
  [
    'GET',
    '/v2/top/servers?limit=x',
    undefined,
    400,
    say('strconv.Atoi: parsing "x": invalid syntax'),
  ],

  // vctl ... rm
  ['DELETE', '/v2/backends/b1/servers/s1', undefined, 200, say('Server deleted')],
  ['DELETE', '/v2/frontends/hp', undefined, 200, say('Frontend deleted')],
  ['GET', '/v2/frontends/hp/middlewares', undefined, 200, '{"Middlewares":[]}'],
  ['DELETE', '/v2/backends/b1', undefined, 200, say('Backend deleted')],
]

for (const layout of ['sluice', 'vulcand'] as const satisfies readonly WrittenLayout[]) {
  test(`vulcand's exchanges are answered byte for byte, over a registry with layout ${layout}`, async (t) => {
    const site = await startVulcand(t, { layout })

    for (const [method, path, body, status, text] of EXCHANGES) {
      const answer = await site.send(method, path, body)
      assert.deepEqual([answer.status, await answer.text()], [status, text], `${method} ${path}`)
      assert.equal(answer.headers.get('content-type'), 'application/json; charset=utf-8')
    }
    assert.deepEqual(
      (await site.writer.list(null)).map(({ kind, id }) => `${kind} ${id}`),
      ['backend b2'],
    )
  })
}

test('with layout vulcand, values are stored as vulcand stores them', async (t) => {
  const site = await startVulcand(t, { layout: 'vulcand' })
  await site.send('POST', '/v2/backends', { Backend: { Id: 'b1', Type: 'http' } })
  await site.send('POST', '/v2/frontends', {
    Frontend: { Id: 'hp', Route: ROUTE, Type: 'http', BackendId: 'b1' },
  })

  assert.equal((await site.keys.get('backends/b1/backend'))?.text, `${BACKEND}\n`)
  assert.equal(
    (await site.keys.get('frontends/hp/frontend'))?.text,
    `${FRONTEND.replaceAll('\\u0026', '&')}\n`,
  )
})

test('a key pair is sealed in a registry of vulcand, and its key is shown to a proven writer only', async (t) => {
  const { cert, key } = createAuthority(t).issue('a.test')
  const pair = { Key: toBase64(key), Cert: toBase64(cert) }
  const host = { Host: { Name: 'a.test', Settings: { KeyPair: pair } } }
  const sealed = await startVulcand(t, { layout: 'vulcand', sealKey: SEAL_KEY })
  const plain = await startVulcand(t, { layout: 'vulcand' })
  const native = await startVulcand(t)

  const refused = await plain.send('POST', '/v2/hosts', host)
  for (const site of [sealed, native]) {
    const posted = await site.send('POST', '/v2/hosts', host)
    const read = (await (await site.fetch('/v2/hosts/a.test')).json()) as {
      Settings: { KeyPair: { Key: string; Cert: string } }
    }
    assert.equal(posted.status, 200)
    assert.equal(read.Settings.KeyPair.Cert, pair.Cert)
    assert.equal(Buffer.from(read.Settings.KeyPair.Key, 'base64').toString(), '(hidden)')
    assert.equal((await site.fetch('/v2/hosts/a.test?secrets=1')).status, 403)
  }
  assert.equal(refused.status, 400)
  assert.equal(await refused.text(), say('this backend does not support encryption'))
  const stored = (await sealed.keys.get('hosts/a.test/host'))?.text ?? ''
  const { Settings: settings } = JSON.parse(stored) as { Settings: { KeyPair: string } }
  assert.match(Buffer.from(settings.KeyPair, 'base64').toString(), /^\{"Encryption":"secretbox.v1"/)
  const declared = sealed.writer.declared({ kind: 'host', id: 'a.test' }, JSON.parse(stored))
  assert.deepEqual(declared?.value, { cert, key, default: false })
})

test('a time to live is a duration of Go, and 0 is none', async (t) => {
  const site = await startVulcand(t)
  await site.send('POST', '/v2/backends', { Backend: { Id: 'b1', Type: 'http' } })
  const post = async (ttl: unknown): Promise<readonly [number, number | null]> => {
    const server = { Id: 's1', URL: 'http://127.0.0.1:1' }
    const { status } = await site.send('POST', '/v2/backends/b1/servers', {
      Server: server,
      TTL: ttl,
    })
    const written = await site.writer.get({ kind: 'server', id: 'b1/s1' })
    return [status, written?.ttlMs ?? null]
  }

  assert.deepEqual(await post('0s'), [200, null])
  assert.deepEqual(await post('never'), [400, null])
  assert.deepEqual(await post('-5s'), [400, null])
  assert.deepEqual(await post(5), [400, null])
  const [status, ttlMs] = await post('1m30s')
  assert.equal(status, 200)
  assert.ok((ttlMs ?? 0) > 85_000)
})

test('ETag, If-Match, PATCH and dryRun work on the paths of vulcand', async (t) => {
  const site = await startVulcand(t)
  const posted = await site.send('POST', '/v2/backends', { Backend: { Id: 'b1', Type: 'http' } })
  const etag = posted.headers.get('etag') ?? ''

  const dry = await site.send('PATCH', '/v2/backends/b1?dryRun=1', {
    Settings: { Timeouts: { Read: '9s' } },
  })
  const before = await (await site.fetch('/v2/backends/b1')).text()
  const patched = await site.send(
    'PATCH',
    '/v2/backends/b1',
    { Settings: { Timeouts: { Read: '9s' } } },
    { 'if-match': etag },
  )
  const lost = await site.send(
    'POST',
    '/v2/backends',
    { Backend: { Id: 'b1', Type: 'http' } },
    { 'if-match': etag },
  )

  assert.equal(before, BACKEND)
  assert.equal(await dry.text(), BACKEND.replace('"Read":""', '"Read":"9s"'))
  assert.equal(await patched.text(), BACKEND.replace('"Read":""', '"Read":"9s"'))
  assert.equal(lost.status, 412)
})

test('objects in the native form are shown in that of vulcand', async (t) => {
  const site = await startVulcand(t)
  await site.writer.put(
    { kind: 'server', id: 'vote/v1' },
    { url: 'http://10.0.0.1:80', weight: 2 },
    {},
  )
  await site.writer.put(
    { kind: 'frontend', id: 'vote' },
    { route: 'Host("a")', backend: 'vote', passHost: true },
    {},
  )
  await site.writer.put(
    { kind: 'listener', id: 'local' },
    { address: 'unix:/run/web.sock', proxyProtocol: { trusted: ['127.0.0.1'] } },
    {},
  )

  const server = await site.fetch('/v2/backends/vote/servers/v1')
  const listener = await site.fetch('/v2/listeners/local')
  const frontend = (await (await site.fetch('/v2/frontends/vote')).json()) as {
    BackendId: string
    Settings: { PassHostHeader: boolean }
  }

  assert.equal(await server.text(), '{"Id":"v1","URL":"http://10.0.0.1:80"}')
  assert.equal(
    await listener.text(),
    '{"Id":"local","Protocol":"http","Address":{"Network":"unix","Address":"/run/web.sock"},"Scope":"","ProxyProtocol":"PROXY_V1"}',
  )
  assert.equal(frontend.BackendId, 'vote')
  assert.equal(frontend.Settings.PassHostHeader, true)
})

test('TLS and keep-alive of native objects are shown by the names of Go', async (t) => {
  const site = await startVulcand(t)
  const tls = { maxVersion: 'TLSv1.2', ciphers: ['ECDHE-RSA-AES128-SHA'], tickets: false }
  await site.writer.put(
    { kind: 'backend', id: 'vote' },
    { tls: { verify: false, ...tls }, keepAlive: { period: '30s' } },
    {},
  )
  await site.writer.put(
    { kind: 'listener', id: 'secure' },
    { address: ':443', protocol: 'https', tls: { profile: 'modern' } },
    {},
  )

  const shown = []
  for (const path of ['backends/vote', 'listeners/secure']) {
    const { Settings } = (await (await site.fetch(`/v2/${path}`)).json()) as { Settings: object }
    shown.push(Settings)
  }

  const rest = { SessionCache: { Type: '', Settings: null }, PreferServerCipherSuites: false }
  assert.deepEqual(shown, [
    {
      Timeouts: { Read: '', Dial: '', TLSHandshake: '' },
      KeepAlive: { Period: '30s', MaxIdleConnsPerHost: 0 },
      TLS: {
        ...rest,
        InsecureSkipVerify: true,
        MinVersion: 'VersionTLS12',
        MaxVersion: 'VersionTLS12',
        SessionTicketsDisabled: true,
        CipherSuites: ['TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA'],
      },
    },
    {
      TLS: {
        ...rest,
        InsecureSkipVerify: false,
        MinVersion: 'VersionTLS13',
        MaxVersion: '',
        SessionTicketsDisabled: false,
        CipherSuites: null,
      },
    },
  ])
})

test('top shows frontends and servers with traffic, the worst first', async (t) => {
  const counts = new Map<number, Partial<Record<number, number>>>([
    [1, { [COUNT.status + 2]: 6, [COUNT.duration + 1]: 6 }],
    [2, { [COUNT.status + 2]: 1, [COUNT.status + 5]: 3, [COUNT.duration]: 4 }],
    [3, {}],
    [4, { [COUNT.status + 2]: 4, [COUNT.failed]: 1 }],
  ])
  const frontend = { route: 'Host("a")', backend: 'b1', passHost: true }
  const names = ['good', 'bad', 'idle']
  const site = await startVulcand(t, {
    endpoints: () =>
      topEndpoints({
        snapshot: () =>
          ({
            frontends: new Map(names.map((id) => [id, { id, ...frontend }])),
            backends: new Map([['b1', { servers: [{ id: 's1', url: 'http://127.0.0.1:1' }] }]]),
          }) as never,
        placed: () => ({
          frontends: names.map((id, at) => ({ id, slot: at + 1, isStream: false })),
          backends: [{ id: 'b1', servers: [{ url: 'http://127.0.0.1:1', slot: 4 }] }],
        }),
        readCounts(slot, into) {
          into.fill(0, 0, COUNTERS)
          for (const [cell, count] of Object.entries(counts.get(slot) ?? {}))
            into[Number(cell)] = count ?? 0
        },
        now: () => 10_000,
      }),
  })

  const { Frontends: found } = (await (await site.fetch('/v2/top/frontends')).json()) as {
    Frontends: readonly {
      Id: string
      Stats: { Counters: object; LatencyBrackets: readonly object[] }
    }[]
  }
  const servers = await (await site.fetch('/v2/top/servers?limit=1&backendId=b1')).text()

  assert.deepEqual(
    found.map(({ Id }) => Id),
    ['bad', 'good'],
  )
  assert.deepEqual(found[1]?.Stats.Counters, {
    ...{ Period: 10_000_000_000, NetErrors: 0, Total: 6 },
    StatusCodes: [{ Code: 200, Count: 6 }],
  })
  assert.deepEqual(found[1]?.Stats.LatencyBrackets[0], { Quantile: 50, Value: 1_750_000 })
  assert.match(
    servers,
    /^\{"Servers":\[\{"Id":"s1","URL":"http:\/\/127.0.0.1:1","Stats":\{"Verdict":\{"IsBad":false,"Anomalies":null\},"Counters":\{"Period":10000000000,"NetErrors":1,"Total":4,/,
  )
})

test('what is no JSON is told in the words of Go', () => {
  const cases: readonly (readonly [text: string, message: string | null])[] = [
    ['{"a":[1,-2.5e3,true,null,"\\u00e9\\n"],"b":{}}', null],
    [' {} ', null],
    ['', 'unexpected end of JSON input'],
    ['{"a":1', 'unexpected end of JSON input'],
    ['{"a"1}', "invalid character '1' after object key"],
    ['{"a":1 2}', "invalid character '2' after object key:value pair"],
    ['[1 2]', "invalid character '2' after array element"],
    ['{} x', "invalid character 'x' after top-level value"],
    ['{,}', "invalid character ',' looking for beginning of object key string"],
    ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
    ['[1,]', "invalid character ']' looking for beginning of value"],
    ['nul!', "invalid character '!' in literal null (expecting 'l')"],
    ['-x', "invalid character 'x' in numeric literal"],
    ['1.x', "invalid character 'x' after decimal point in numeric literal"],
    ['"\\x"', "invalid character 'x' in string escape code"],
    ['"\n"', "invalid character '\\n' in string literal"],
    ["'a'", "invalid character '\\'' looking for beginning of value"],
  ]
  for (const [text, message] of cases) {
    assert.equal(goSyntaxError(text), message, text)
    assert.equal(goSyntaxError(text) === null, isJson(text), text)
  }
  assert.equal(goSyntaxError('['.repeat(100_000)), 'exceeded max depth')
})

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function toBase64(text: string): string {
  return Buffer.from(text).toString('base64')
}

test('an object of a name that an earlier source has is refused, and not written', async (t) => {
  const shadowed: ObjectStatus = {
    state: 'shadowed',
    reasons: ['source "flags" declares listener "l1", too, and takes precedence'],
    inForce: null,
  }
  const { send, writer } = await startVulcand(t, { statusOf: () => shadowed })

  const refused = await send('POST', '/v2/listeners', { Listener: JSON.parse(LISTENER) as object })

  assert.equal(refused.status, 409)
  assert.deepEqual(await refused.json(), {
    message:
      'source "flags" declares listener "l1", too, and takes precedence: choose another id, or remove it there. Nothing was changed',
  })
  assert.deepEqual(await writer.list('listener'), [])
})

test('an object that is written again is compared with what is in force', async (t) => {
  const compared: unknown[] = []
  const { send } = await startVulcand(t, {
    statusOf: (_source, { id }, _revision, read) => {
      compared.push([id, read()?.fault, read()?.value !== undefined])
      return { state: 'in-force', reasons: [], inForce: null }
    },
  })

  for (const Address of ['127.0.0.1:8300', '127.0.0.1:8301']) {
    const Listener = { Id: 'l1', Protocol: 'http', Address: { Network: 'tcp', Address } }
    assert.equal((await send('POST', '/v2/listeners', { Listener })).status, 200)
  }

  assert.deepEqual(compared, [
    ['l1', undefined, true],
    ['l1', undefined, true],
  ])
})
