import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MIDDLEWARES } from '../../src/middleware/catalog.ts'
import fc from 'fast-check'
import { parseHost } from '../../src/schema/host-certificate.ts'
import { parseMiddlewarePart } from '../../src/schema/middleware-part.ts'
import { parseBackend, parseFrontend, parseListener } from '../../src/schema/objects.ts'
import { parseServer } from '../../src/schema/server.ts'
import { createAuthority } from '../support/certificates.ts'
import { messagesOf, noFile, readFile, valueOf } from '../support/parsed.ts'

const ROUTE = 'Host("vote.localhost")'

const PARSERS = [
  ...[parseListener, parseBackend, parseFrontend],
  ...[parseHost, parseServer, parseMiddlewarePart],
]

test('fills every default of a listener', () => {
  assert.deepEqual(valueOf(parseListener('web', { address: ':8080' }, noFile)), {
    id: 'web',
    address: { host: '', port: 8080 },
    protocol: 'http',
    backend: null,
    proxyProtocol: null,
    paths: 'reject',
    scope: null,
    timeouts: { headMs: 10_000, bodyMs: 60_000, idleMs: 75_000 },
    limits: {
      headBytes: 32_768,
      targetBytes: 8192,
      fields: 100,
      connections: 0,
      connectionsPerClient: 0,
    },
    tls: null,
    redirect: null,
    challenges: [],
    http2: {
      streams: 100,
      windowBytes: 65_536,
      connectionWindowBytes: 6_553_600,
      websockets: false,
      maxAgeMs: 0,
      pingMs: 60_000,
    },
  })
})

test('takes what a listener says over the defaults', () => {
  const listener = valueOf(
    parseListener(
      'web',
      {
        address: '127.0.0.1:80',
        paths: 'normalize',
        scope: ROUTE,
        timeouts: { head: '1m30s', idle: 5 },
        limits: { head: '64KiB', connections: 1000 },
      },
      noFile,
    ),
  )

  assert.equal(listener.paths, 'normalize')
  assert.equal(listener.scope, ROUTE)
  assert.deepEqual(listener.timeouts, { headMs: 90_000, bodyMs: 60_000, idleMs: 5000 })
  assert.equal(listener.limits.headBytes, 65_536)
  assert.equal(listener.limits.connections, 1000)
})

test('reads the certificates of a listener by path', (t) => {
  const { certPath, keyPath, cert, key } = createAuthority(t).issue('vote.localhost')
  const tls = { certificates: [{ cert: certPath, key: keyPath }] }

  const listener = valueOf(
    parseListener('secure', { address: ':8443', protocol: 'https', tls }, readFile),
  )

  assert.deepEqual(listener.tls?.certificates, [{ cert, key }])
  assert.equal(listener.tls?.strictSni, false)
})

test('says which certificate cannot be used, and why', (t) => {
  const authority = createAuthority(t)
  const [first, second] = [authority.issue('a.localhost'), authority.issue('b.localhost')]
  const parse = (certificate: unknown, read = readFile): readonly string[] =>
    messagesOf(
      parseListener(
        'secure',
        { address: ':8443', protocol: 'https', tls: { certificates: [certificate] } },
        read,
      ),
    )

  assert.deepEqual(parse({ cert: 'a.pem', key: 'a.key' }, noFile), [
    'tls.certificates.0.cert: cannot read "a.pem": there is no such file',
    'tls.certificates.0.key: cannot read "a.key": there is no such file',
  ])
  assert.match(
    parse({ cert: first.certPath, key: second.keyPath })[0] ?? '',
    /^tls\.certificates\.0: the key .* does not belong to the certificate$/,
  )
  assert.match(
    parse({ cert: first.keyPath, key: first.keyPath })[0] ?? '',
    /^tls\.certificates\.0\.cert: .* is not usable PEM: /,
  )
  assert.deepEqual(parse({ cert: first.certPath }), ['tls.certificates.0.key: is missing'])
})

test('refuses a certificate whose key no client of TLS takes', (t) => {
  const { cert, key } = createAuthority(t).issueWith({ key: 'secp256k1' }, 'a.localhost')

  assert.deepEqual(
    messagesOf(
      parseListener(
        'secure',
        { address: ':8443', protocol: 'https', tls: { certificates: [{ cert, key }] } },
        noFile,
      ),
    ),
    [
      'tls.certificates.0: the certificate cannot be used: its key is of the curve secp256k1, which clients do not accept; make one with RSA, P-256, P-384, P-521 or Ed25519',
    ],
  )
})

test('a listener is https with certificates, or with those of hosts, or http without', () => {
  const parse = (value: object): readonly string[] =>
    messagesOf(parseListener('web', { address: ':1', ...value }, noFile))

  const bare = parseListener('web', { address: ':1', protocol: 'https' }, noFile)

  assert.deepEqual(valueOf(bare).tls?.certificates, [])
  assert.deepEqual(parse({ strictSni: true }), ['strictSni: is used with protocol: https only'])
  assert.deepEqual(parse({ tls: { certificates: [{ cert: 'a', key: 'b' }] } }), [
    'tls: is used with protocol: https or tcp only',
  ])
})

test('a listener speaks HTTP/2 unless it is switched off, and h2c speaks nothing else', () => {
  const read = (more: object): unknown => {
    const parsed = parseListener('web', { address: ':1', ...more }, noFile)
    return parsed.ok ? parsed.value.http2?.streams : messagesOf(parsed)
  }

  assert.equal(read({ protocol: 'h2c', http2: { streams: 7 } }), 7)
  assert.equal(read({ http2: { enabled: false } }), undefined)
  assert.equal(read({ protocol: 'tcp' }), undefined)
  assert.deepEqual(read({ protocol: 'tcp', http2: {} }), [
    'http2: is used with protocol: http, https or h2c only',
  ])
  assert.deepEqual(read({ protocol: 'h2c', http2: { enabled: false } }), [
    'http2.enabled: must be true with protocol: h2c, or use http',
  ])
  assert.deepEqual(read({ http2: { window: '8MiB' } }), [
    'http2.window: must not be larger than connectionWindow',
  ])
  assert.deepEqual(read({ protocol: 'h2c', tls: { certificates: [{ cert: 'a', key: 'b' }] } }), [
    'tls: is used with protocol: https or tcp only',
  ])
})

test('a server may say what it speaks, what its name stands for, and which name it has for Host and SNI', () => {
  const declared = (more: object): object => ({ servers: { s: { url: 'http://a.test', ...more } } })
  const parsed = parseBackend(
    'b',
    declared({ protocol: 'auto', resolve: 'all', hostname: 'App.Test' }),
    noFile,
  )

  assert.ok(parsed.ok)
  const [server] = parsed.value.servers
  assert.deepEqual(
    [server?.protocol, server?.resolve, server?.hostname],
    ['auto', 'all', 'app.test'],
  )
  for (const [more, path, message] of [
    [{ protocol: 'h3' }, 'protocol', /must be http\/1\.1, h2 or auto, not "h3"/],
    [{ protocol: 'auto', url: 'tcp://a.test:1' }, 'protocol', /tcp:\/\/.*: leave it out$/],
    [{ protocol: 'h2', url: 'tls://a.test:1' }, 'protocol', /tls:\/\/.*: leave it out$/],
    [{ protocol: 'http/1.1', url: 'h2c://a.test' }, 'protocol', /h2c:\/\/.*: write http:\/\//],
    [{ resolve: 'both' }, 'resolve', /must be one or all, not "both"/],
    [{ hostname: '10.0.0.1' }, 'hostname', /must be a name, not the address/],
    [{ hostname: 7 }, 'hostname', /must be a name, not 7/],
  ] as const) {
    const refused = parseBackend('b', declared(more), noFile)
    assert.ok(!refused.ok)
    assert.deepEqual(refused.problems[0]?.path, ['servers', 's', path])
    assert.match(refused.problems[0].message, message)
  }
})

test('fills every default of a backend', () => {
  const value = {
    servers: { v1: 'http://127.0.0.1:5001', v2: { url: 'https://[::1]', weight: 3 } },
  }

  assert.deepEqual(valueOf(parseBackend('vote', value, noFile)), {
    id: 'vote',
    balance: 'round-robin',
    hash: { from: 'client-ip', name: '' },
    sticky: null,
    timeouts: {
      connectMs: 5000,
      handshakeMs: 5000,
      firstByteMs: 60_000,
      stallMs: 60_000,
      tryMs: 0,
      requestMs: 0,
      tunnelMs: 3_600_000,
    },
    limits: { connections: 0, idle: 256, idleMs: 60_000, headBytes: 32_768, fields: 100 },
    protocol: 'http/1.1',
    http2: {
      streams: 100,
      windowBytes: 262_144,
      pingMs: 10_000,
      pingTimeoutMs: 10_000,
      maxAgeMs: 0,
    },
    tls: {
      verify: true,
      ca: null,
      serverName: null,
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.3',
      ciphers: null,
      tickets: true,
    },
    keepAliveMs: 0,
    proxyProtocol: null,
    health: null,
    ejection: {
      failures: 5,
      errors: 0,
      successRate: null,
      baseMs: 30_000,
      longestMs: 300_000,
      share: 0.5,
    },
    panic: 0.5,
    slowStartMs: 0,
    breaker: null,
    retry: {
      attempts: 2,
      when: null,
      backoffMs: 0,
      longestBackoffMs: 250,
      bufferBytes: 65_536,
      hedge: null,
    },
    retryBudget: { ratio: 0.2, perSecond: 3 },
    resolve: 'one',
    servers: [
      {
        id: 'v1',
        url: 'http://127.0.0.1:5001',
        scheme: 'http',
        host: '127.0.0.1',
        port: 5001,
        weight: 1,
        backup: false,
        drain: false,
        labels: null,
      },
      {
        id: 'v2',
        url: 'https://[::1]:443',
        scheme: 'https',
        host: '::1',
        port: 443,
        weight: 3,
        backup: false,
        drain: false,
        labels: null,
      },
    ],
    scale: null,
    labels: null,
  })
})

test('takes what a backend says over the defaults', (t) => {
  const { certPath, cert } = createAuthority(t)
  const backend = valueOf(
    parseBackend(
      'vote',
      {
        balance: 'least-connections',
        timeouts: { connect: '250ms', idle: '4s' },
        limits: { connections: 10, idle: 0 },
        tls: { ca: certPath, serverName: 'vote.example', verify: false },
        servers: {},
      },
      readFile,
    ),
  )

  assert.equal(backend.balance, 'least-connections')
  assert.equal(backend.timeouts.connectMs, 250)
  assert.deepEqual(backend.limits, {
    connections: 10,
    idle: 0,
    idleMs: 4000,
    headBytes: 32_768,
    fields: 100,
  })
  assert.deepEqual(backend.tls, {
    verify: false,
    ca: cert,
    serverName: 'vote.example',
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
    ciphers: null,
    tickets: true,
  })
  assert.deepEqual(backend.servers, [])
})

test('says every flaw of a backend, each with its place', () => {
  const parsed = parseBackend(
    'vote',
    {
      blance: 'round-robin',
      timeouts: { connect: '1x' },
      servers: {
        a: 'http://169.254.169.254',
        b: { url: 'http://h', wieght: 1 },
        c: { url: 'http://h', weight: 0 },
        d: null,
        e: 'http://same:80',
        f: 'http://SAME/',
        'g h': 'http://h2',
        constructor: 'http://h3',
      },
    },
    noFile,
  )

  assert.ok(!parsed.ok)
  assert.deepEqual(
    parsed.problems.map(({ path, message }) => [path.join('/'), message]),
    [
      [
        'timeouts/connect',
        'timeouts.connect: must be a duration such as 10s, 500ms or 1m30s, not "1x"',
      ],
      [
        'servers/a',
        'servers.a: a server cannot be at "169.254.169.254": it is a link-local address',
      ],
      ['servers/b/wieght', 'servers.b.wieght: unknown key "wieght", did you mean "weight"?'],
      ['servers/c/weight', 'servers.c.weight: must be a whole number from 1 to 1000, not 0'],
      ['servers/d', 'servers.d: must be a url, not nothing; write it as http://10.0.0.7:8080'],
      [
        'servers/f',
        'servers.f: "http://same:80" is already the server "e"; use weight to send it more',
      ],
      [
        'servers/g h',
        'servers."g h": the id must be 1 to 128 letters, digits or any of . _ - @ :, not "g h"',
      ],
      ['servers/constructor', 'servers.constructor: the id "constructor" is reserved'],
      ['blance', 'unknown key "blance", did you mean "balance"?'],
    ],
  )
})

test('a backend says its servers as a map, or has none yet', () => {
  assert.deepEqual(valueOf(parseBackend('b', {}, noFile)).servers, [])
  assert.deepEqual(messagesOf(parseBackend('b', { servers: ['http://a'] }, noFile)), [
    'servers: must be a map of ids to urls, not a list',
  ])
})

test('reads 100,000 servers of one backend, and names only some of 100,000 flaws', () => {
  const urls = Array.from({ length: 100_000 }, (_, at): [string, string] => [
    `s${at}`,
    `http://10.${at >> 16}.${(at >> 8) & 255}.${at & 255}:80`,
  ])
  const good = parseBackend('big', { servers: Object.fromEntries(urls) }, noFile)
  const broken = Object.fromEntries(urls.map(([id]) => [id, 'http://a b']))

  assert.equal(valueOf(good).servers.length, 100_000)
  const messages = messagesOf(parseBackend('big', { servers: broken }, noFile))
  assert.equal(messages.length, 21)
  assert.equal(messages.at(-1), 'and 99980 more problems')
})

test('fills every default of a frontend', () => {
  assert.deepEqual(valueOf(parseFrontend('vote', { route: ROUTE, backend: 'vote' })), {
    id: 'vote',
    protocol: 'http',
    route: ROUTE,
    priority: null,
    backend: 'vote',
    passHost: true,
    paths: null,
    timeouts: null,
    retry: null,
    middlewares: [],
    labels: null,
  })
})

test('says why a header field is refused', () => {
  const set = { 'Content-Length': '5', 'X A': '1' }

  const found = parseFrontend('f', {
    route: 'Path("/")',
    backend: 'b',
    headers: { request: { set } },
  })

  assert.ok(!found.ok)
  assert.deepEqual(
    found.problems.map(({ message }) => message),
    [
      'headers: request.set.Content-Length: is set by the proxy itself',
      `headers: request.set."X A": must be a header name: letters, digits and !#$%&'*+-.^_\`|~`,
    ],
  )
})

test('turns the short forms into middlewares, headers outermost and the answer innermost', () => {
  const frontend = valueOf(
    parseFrontend('old', {
      route: ROUTE,
      priority: 7,
      passHost: false,
      redirect: { to: 'https://vote.localhost', status: 308 },
      middlewares: [{ kind: 'bodylimit', size: '1KiB' }],
      headers: { response: { set: { 'X-A': 'b' } } },
    }),
  )

  assert.deepEqual(frontend, {
    id: 'old',
    protocol: 'http',
    route: ROUTE,
    priority: 7,
    backend: null,
    passHost: false,
    paths: null,
    timeouts: null,
    retry: null,
    middlewares: [
      {
        kind: 'headers',
        options: {
          request: { set: {}, add: {}, remove: [] },
          response: { set: { 'X-A': 'b' }, add: {}, remove: [] },
        },
      },
      { kind: 'bodylimit', options: { size: 1024 } },
      {
        kind: 'redirect',
        options: { to: 'https://vote.localhost', status: 308, keepPath: false },
      },
    ],
    labels: null,
  })
})

test('a frontend has exactly one that answers', () => {
  const parse = (value: object): readonly string[] =>
    messagesOf(parseFrontend('f', { route: ROUTE, ...value }))

  assert.deepEqual(parse({}), ['needs one of backend, respond or redirect'])
  assert.deepEqual(parse({ backend: 'b', respond: { status: 403 } }), [
    'has backend and respond; only one of backend, respond or redirect can respond',
  ])
  const respond = { kind: 'respond', status: 200 }
  assert.deepEqual(parse({ redirect: { to: '/' }, middlewares: [respond] }), [
    'has respond and redirect; only one of backend, respond or redirect can respond',
  ])
  assert.deepEqual(parse({ middlewares: [respond] }), [])
  assert.deepEqual(parse({ backend: 'b', redirect: { to: '/' } }), [
    'has backend and redirect; only one of backend, respond or redirect can respond',
  ])
})

test('says everything that is wrong with middlewares, each at its place', () => {
  const found = parseFrontend('f', {
    route: ROUTE,
    backend: 'b',
    ratelimit: { requests: 1, redis: { uri: 'redis://h' }, burts: 3 },
    connlimit: {},
    middlewares: [{ kind: 'mirror', sample: 0.5 }, { kind: 'bodylimit', size: 'big' }, {}, 5],
  })

  assert.ok(!found.ok)
  const kinds = MIDDLEWARES.map(({ kind }) => kind)
    .sort()
    .join(', ')
  assert.deepEqual(
    found.problems.map(({ message }) => message),
    [
      'ratelimit: redis.url: is missing',
      'ratelimit: redis: unknown key "uri", did you mean "url"?',
      'ratelimit: unknown key "burts", did you mean "burst"?',
      'connlimit: connections: is missing',
      `mirror: there is no middleware "mirror"; there are ${kinds}`,
      'bodylimit: size: must be a size such as 32KiB or 65536, not "big"',
      'middlewares.2: needs a kind',
      'middlewares.3: must be a map of options, not 5',
    ],
  )
  assert.deepEqual(
    found.problems.map(({ path }) => path.join('/')),
    [
      ...['ratelimit/redis/url', 'ratelimit/redis/uri', 'ratelimit/burts', 'connlimit/connections'],
      ...['middlewares/0', 'middlewares/1/size', 'middlewares/2', 'middlewares/3'],
    ],
  )
})

test('a redirect to a scheme stands alone, or before what answers', () => {
  const kindsOf = (value: object): readonly string[] =>
    valueOf(parseFrontend('f', { route: ROUTE, ...value })).middlewares.map(({ kind }) => kind)
  const redirect = { scheme: 'https' }

  assert.deepEqual(kindsOf({ redirect }), ['redirect'])
  assert.deepEqual(kindsOf({ redirect, backend: 'b', headers: {} }), ['redirect', 'headers'])
  assert.deepEqual(kindsOf({ redirect, respond: { status: 204 } }), ['redirect', 'respond'])
})

test('says what is wrong with a frontend', () => {
  const parse = (value: unknown): readonly string[] => messagesOf(parseFrontend('f', value))

  assert.deepEqual(parse(null), ['must be a map, not nothing'])
  assert.deepEqual(parse('x'), ['must be a map, not "x"'])
  assert.deepEqual(parse({ backend: 'b' }), ['route: is missing'])
  assert.deepEqual(parse({ route: '', backend: 'b' }), [
    'route: must be 1 to 16384 characters long, not 0',
  ])
  assert.deepEqual(parse({ route: ROUTE, backend: 'a b' }), [
    'backend: the id must be 1 to 128 letters, digits or any of . _ - @ :, not "a b"',
  ])
  assert.deepEqual(parse({ route: ROUTE, backend: 'b', passhost: true }), [
    'unknown key "passhost", did you mean "passHost"?',
  ])
  assert.deepEqual(parse({ route: ROUTE, backend: 'b', priority: 1.5 }), [
    'priority: must be a whole number from -1000000000 to 1000000000, not 1.5',
  ])
  assert.deepEqual(parse({ route: ROUTE, backend: 'b', middlewares: [{}] }), [
    'middlewares.0: needs a kind',
  ])
  assert.deepEqual(messagesOf(parseFrontend('a b', { route: ROUTE, backend: 'b' })), [
    'the id must be 1 to 128 letters, digits or any of . _ - @ :, not "a b"',
  ])
})

test('refuses options that could not be passed on as they are', () => {
  const parse = (options: string): readonly string[] =>
    messagesOf(parseFrontend('f', { route: ROUTE, respond: JSON.parse(options) as unknown }))

  assert.deepEqual(parse('{"a": {"__proto__": 1}}'), ['respond: the key "__proto__" is reserved'])
  assert.deepEqual(parse('[]'), ['respond: must be a map of options, not a list'])
  assert.deepEqual(parse('{"a": 1e999}'), ['respond: Infinity is not a number'])
  assert.deepEqual(parse(`{"a": ${'['.repeat(9)}${']'.repeat(9)}}`), [
    'respond: must not be nested deeper than 8',
  ])
  assert.deepEqual(parse(`{"a": [${'1,'.repeat(10_000)}1]}`), [
    'respond: must not hold more than 10000 values',
  ])
})

test('refuses the keys that reach a prototype', () => {
  const value: unknown = JSON.parse(
    '{"route": "x", "backend": "b", "__proto__": {"passHost": false}}',
  )

  assert.deepEqual(messagesOf(parseFrontend('f', value)), ['unknown key "__proto__"'])
  assert.deepEqual(messagesOf(parseFrontend('__proto__', {})), ['the id "__proto__" is reserved'])
})

test('hostile keys are named on one line, without controls', () => {
  const [message = ''] = messagesOf(
    parseFrontend('f', { route: ROUTE, backend: 'b', 'a\n\u001b[31m\u202e\u009b': 1 }),
  )

  assert.equal(message, 'unknown key "a\\n\\u001b[31m\\u202e\\u009b"')
})

test('no value makes a parser of objects throw, and what is refused says why', () => {
  const keys = fc.constantFrom(
    ...['address', 'protocol', 'paths', 'timeouts', 'limits', 'tls', 'balance', 'servers', 'route'],
    ...[
      'backend',
      'priority',
      'headers',
      'respond',
      'redirect',
      'middlewares',
      'kind',
      'url',
      'weight',
      'labels',
      'scope',
    ],
    ...['head', 'certificates', 'cert', 'key', '__proto__', 'constructor', 'toString'],
  )
  const leaf = fc.oneof(
    fc.anything(),
    fc.constantFrom(':80', 'https', 'http://a', '1s', ROUTE, 1, null, true),
  )
  const { object } = fc.letrec<{ object: unknown; node: unknown }>((tie) => ({
    object: fc.dictionary(keys, tie('node'), { maxKeys: 6 }),
    node: fc.oneof(
      { depthSize: 'small' },
      leaf,
      tie('object'),
      fc.array(tie('node'), { maxLength: 3 }),
    ),
  }))
  fc.assert(
    fc.property(fc.oneof(object, fc.anything()), fc.string(), (value, id) => {
      for (const parse of PARSERS) {
        for (const name of [id, 'x']) {
          const parsed = parse(name, value, noFile)
          if (!parsed.ok) assert.notEqual(parsed.problems.length, 0)
        }
      }
    }),
    { numRuns: 500 },
  )
})

test('reads the redirect of a listener, which only one without TLS has', () => {
  const read = (listener: object): unknown => {
    const parsed = parseListener('web', { address: ':80', ...listener }, noFile)
    return parsed.ok ? parsed.value.redirect : parsed.problems.map(({ message }) => message)
  }

  assert.deepEqual(read({ redirect: 'https' }), { port: null, permanent: true })
  assert.deepEqual(read({ redirect: {}, protocol: 'h2c' }), { port: null, permanent: true })
  assert.deepEqual(read({ redirect: { port: 8443, permanent: false } }), {
    port: 8443,
    permanent: false,
  })
  assert.deepEqual(read({ redirect: 'http' }), ['redirect: must be https or a map, not "http"'])
  assert.deepEqual(read({ redirect: { port: 0 } }), [
    'redirect.port: must be a whole number from 1 to 65535, not 0',
  ])
  for (const protocol of ['https', 'tcp'])
    assert.deepEqual(read({ redirect: 'https', protocol }), [
      'redirect: is used with protocol: http or h2c only',
    ])
})
