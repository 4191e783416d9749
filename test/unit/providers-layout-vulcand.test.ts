import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js'
import { parseBackend } from '../../src/schema/objects.ts'
import { createLayout } from '../support/layouts.ts'
import { createMirror } from '../../src/providers/registry/mirror.ts'
import type { DeclaredObject } from '../../src/providers/provider.ts'

const SEAL_KEY = '00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF'
const PEM = {
  Key: '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n',
  Cert: '-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----\n',
}

// crypto_secretbox_easy of libsodium 1.0.18, with the bytes 0 to 23 for a nonce.
const SEALED_BY_LIBSODIUM = [
  'eyJFbmNyeXB0aW9uIjogInNlY3JldGJveC52MSIsICJWYWx1ZSI6IHsiVmFsIjogIkV3TnhHWXoxYW1vekFVQk94dDI2',
  'WGxyUDFLSG52c2lIM0JRMUl4dWovS05CQjJiV1Z1bXV2WVhPSjAyN2xXU2NNODRzdjBtcjBrWHNwWlRSZTVhTFJqRDBu',
  'Wm9wS3huaUsxSnlzbkJ1OFZVMUF0T3A4UGhsOCt0QkZwOXNKVUhCa1VZOTV5R1hHTEJtWlYrM0dBUVRMUlF6T293cjVs',
  'TVlKeVl2VUxjMG9qdFg0dUF3VFBlcUJQMW5XaVlSVElkVWxZYXQ0aTdXSmNja2JxcDRtR1AxOElSc1lSS0FqS1BHUHJY',
  'NXV6b2JXUlNHSnlxalNzWjFyR0FMeStORHk3ajZGN0FzaDVtcWhBPT0iLCAiTm9uY2UiOiAiQUFFQ0F3UUZCZ2NJQ1Fv',
  'TERBME9EeEFSRWhNVUZSWVgifX0=',
].join('')

interface Case {
  readonly title: string
  readonly path: string
  readonly json: unknown
  readonly value: unknown
  readonly remarks?: readonly string[]
}

const plainBackend = {
  ...{ timeouts: {}, limits: {}, tls: {}, servers: {} },
  keepAlive: { period: '15s' },
}

const CASES: readonly Case[] = [
  {
    title: 'a server on a unix socket',
    path: 'backends/b/servers/s1',
    json: { URL: 'unix:///run/app.sock' },
    value: 'unix:///run/app.sock',
  },
  {
    title: 'a listener',
    path: 'listeners/l1',
    json: {
      Id: 'other',
      Protocol: 'HTTPS',
      Address: { Network: 'TCP', Address: '0.0.0.0:443' },
      Scope: 'Host("a")',
      ProxyProtocol: 'none',
    },
    value: { address: '0.0.0.0:443', protocol: 'https', scope: 'Host("a")' },
  },
  {
    title: 'a listener with PROXY headers',
    path: 'listeners/l1',
    json: {
      Protocol: 'http',
      Address: { Network: 'tcp', Address: ':80' },
      ProxyProtocol: 'proxy_v1',
    },
    value: {
      address: ':80',
      protocol: 'http',
      proxyProtocol: { trusted: ['0.0.0.0/0', '::/0'], required: false },
    },
    remarks: [
      'ProxyProtocol: as in vulcand, every peer may claim any address by a PROXY header; declare the listener in a file with proxyProtocol.trusted to name the load balancers',
    ],
  },
  {
    title: 'a listener with a TLS block that asks for what is not done here',
    path: 'listeners/l1',
    json: {
      Protocol: 'https',
      Address: { Network: 'tcp', Address: ':443' },
      Settings: {
        TLS: {
          MinVersion: 'VersionTLS11',
          MaxVersion: 'VersionTLS11',
          CipherSuites: ['TLS_RSA_WITH_RC4_128_SHA'],
          PreferServerCipherSuites: true,
          SessionTicketsDisabled: true,
          InsecureSkipVerify: true,
          SessionCache: { Type: 'LRU', Settings: { Capacity: 7 } },
        },
      },
    },
    value: { address: ':443', protocol: 'https', tls: { tickets: false } },
    remarks: [
      'Settings.TLS.MinVersion: TLS 1.2 is the oldest',
      'Settings.TLS.MaxVersion is not honoured: TLS 1.2 and 1.3 are spoken',
      'Settings.TLS.SessionCache.Settings.Capacity is not honoured: sessions are in tickets, which clients keep',
      'Settings.TLS.CipherSuites: "TLS_RSA_WITH_RC4_128_SHA" cannot be used here; the built-in list is used',
      'Settings.TLS.InsecureSkipVerify has no effect: a listener asks clients for no certificate',
    ],
  },
  {
    title: 'a listener with cipher suites of which one is too weak',
    path: 'listeners/l1',
    json: {
      Protocol: 'https',
      Address: { Network: 'tcp', Address: ':443' },
      Settings: {
        TLS: {
          CipherSuites: [
            'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
            'TLS_RSA_WITH_AES_128_CBC_SHA',
            'TLS_RSA_WITH_3DES_EDE_CBC_SHA',
          ],
        },
      },
    },
    value: {
      address: ':443',
      protocol: 'https',
      tls: { ciphers: ['ECDHE-RSA-AES128-GCM-SHA256', 'AES128-SHA'] },
    },
    remarks: ['Settings.TLS.CipherSuites: "TLS_RSA_WITH_3DES_EDE_CBC_SHA" cannot be used here'],
  },
  {
    title: 'a backend with versions, suites and sessions of TLS',
    path: 'backends/b1/backend',
    json: {
      Type: 'http',
      Settings: {
        TLS: {
          MinVersion: 'VersionTLS12',
          MaxVersion: 'VersionTLS12',
          CipherSuites: ['TLS_RSA_WITH_AES_128_CBC_SHA', 'TLS_RSA_WITH_RC4_128_SHA'],
          SessionTicketsDisabled: true,
          InsecureSkipVerify: true,
        },
      },
    },
    value: {
      ...plainBackend,
      tls: {
        verify: false,
        minVersion: 'TLSv1.2',
        maxVersion: 'TLSv1.2',
        ciphers: ['AES128-SHA'],
        tickets: false,
      },
    },
    remarks: ['Settings.TLS.CipherSuites: "TLS_RSA_WITH_RC4_128_SHA" cannot be used here'],
  },
  {
    title: 'a backend with settings of TLS that mean nothing here',
    path: 'backends/b1/backend',
    json: {
      Type: 'http',
      Settings: {
        TLS: {
          MinVersion: 'VersionTLS10',
          MaxVersion: 'VersionTLS11',
          PreferServerCipherSuites: true,
          SessionCache: { Type: 'LRU', Settings: { Capacity: 7 } },
        },
      },
    },
    value: plainBackend,
    remarks: [
      'Settings.TLS.MaxVersion is not honoured: TLS 1.2 and 1.3 are spoken',
      'Settings.TLS.SessionCache.Settings.Capacity is not honoured: the last session of each server is kept',
      'Settings.TLS.PreferServerCipherSuites has no effect: the server chooses the suite',
    ],
  },
  {
    title: 'a backend that speaks TLS 1.3 alone, whose probes of TCP are off',
    path: 'backends/b1/backend',
    json: {
      Type: 'http',
      Settings: { TLS: { MinVersion: 'VersionTLS13' }, KeepAlive: { Period: '-1s' } },
    },
    value: { ...plainBackend, tls: { minVersion: 'TLSv1.3' }, keepAlive: { period: '0s' } },
  },
  {
    title: 'a backend with suites of TLS 1.2 that speaks TLS 1.3 alone',
    path: 'backends/b1/backend',
    json: {
      Type: 'http',
      Settings: {
        TLS: { MinVersion: 'VersionTLS13', CipherSuites: ['TLS_RSA_WITH_AES_128_CBC_SHA'] },
      },
    },
    value: { ...plainBackend, tls: { minVersion: 'TLSv1.3' } },
    remarks: [
      'Settings.TLS.CipherSuites has no effect: they are of TLS 1.2, and MinVersion is VersionTLS13',
    ],
  },
  {
    title: 'a backend whose probes of TCP are further apart than TCP can count',
    path: 'backends/b1/backend',
    json: { Type: 'http', Settings: { KeepAlive: { Period: '10h' } } },
    value: { ...plainBackend, keepAlive: { period: '9h' } },
    remarks: ['Settings.KeepAlive.Period: nine hours is the longest'],
  },
  {
    title: 'a TLS block of defaults, and of what is done anyway',
    path: 'listeners/l1',
    json: {
      Protocol: 'https',
      Address: { Network: 'tcp', Address: ':443' },
      Settings: { TLS: { MinVersion: 'VersionTLS12', SessionCache: { Type: '' } } },
    },
    value: { address: ':443', protocol: 'https' },
  },
  {
    title: 'a backend of nothing but its type',
    path: 'backends/b1/backend',
    json: { Type: 'http' },
    value: plainBackend,
  },
  {
    title: 'a backend with all that vulcand writes by itself',
    path: 'backends/b1/backend',
    json: {
      Id: 'b1',
      Type: 'http',
      Settings: {
        Timeouts: { Read: '', Dial: '', TLSHandshake: '' },
        KeepAlive: { Period: '', MaxIdleConnsPerHost: 0 },
      },
    },
    value: plainBackend,
  },
  {
    title: 'a backend with settings, whose names may be in any case',
    path: 'backends/b1/backend',
    json: {
      type: 'http',
      SETTINGS: {
        timeouts: { READ: '1m30s', dial: '1.5s', TlsHandshake: '10s' },
        KeepAlive: { Period: '30s', MaxIdleConnsPerHost: 12 },
        TLS: { InsecureSkipVerify: true },
      },
    },
    value: {
      timeouts: { connect: '1500ms', handshake: '10000ms', firstByte: '90000ms' },
      limits: { idle: 12 },
      tls: { verify: false },
      keepAlive: { period: '30000ms' },
      servers: {},
    },
  },
  {
    title: 'a backend that waits for ever, or less than we can',
    path: 'backends/b1/backend',
    json: {
      Type: 'http',
      Settings: {
        Timeouts: { Read: '0', Dial: '5us', TLSHandshake: '0s' },
        KeepAlive: { MaxIdleConnsPerHost: -1 },
      },
    },
    value: {
      ...plainBackend,
      timeouts: { connect: '1ms', firstByte: '24h' },
      limits: { idle: 0 },
    },
    remarks: ['Settings.Timeouts.Read: one day is the longest'],
  },
  {
    title: 'a backend whose members are null',
    path: 'backends/b1/backend',
    json: { Id: null, Type: 'http', Settings: null, Stats: { unknown: [1] } },
    value: plainBackend,
  },
  {
    title: 'a server',
    path: 'backends/b1/servers/s1',
    json: { Id: 's1', URL: 'http://10.0.0.1:5000' },
    value: 'http://10.0.0.1:5000',
  },
  {
    title: 'a server with a path and a query',
    path: 'backends/b1/servers/s1',
    json: { Url: 'https://h:5000/a?b' },
    value: 'https://h:5000',
    remarks: ['URL: its path and query "/a?b" are not used; requests keep their own'],
  },
  {
    title: 'a server with a slash behind its port',
    path: 'backends/b1/servers/s1',
    json: { URL: 'http://h:5000/' },
    value: 'http://h:5000',
  },
  {
    title: 'a server without a host, which admission refuses',
    path: 'backends/b1/servers/s1',
    json: { URL: '/foo' },
    value: '/foo',
  },
  {
    title: 'a frontend',
    path: 'frontends/f1/frontend',
    json: { Type: 'http', BackendId: 'b1', Route: 'Host("a") && Path("/p")' },
    value: { route: 'Host("a") && Path("/p")', backend: 'b1', passHost: false },
  },
  {
    title: 'a frontend as vulcand writes it',
    path: 'frontends/f1/frontend',
    json: {
      Id: 'f1',
      Route: 'Path("/")',
      Type: 'http',
      BackendId: 'b1',
      Settings: {
        Limits: { MaxMemBodyBytes: 0, MaxBodyBytes: 0 },
        FailoverPredicate: '',
        Hostname: '',
        TrustForwardHeader: false,
        PassHostHeader: true,
        Stream: false,
        StreamFlushIntervalNanoSecs: 0,
      },
    },
    value: { route: 'Path("/")', backend: 'b1', passHost: true },
  },
  {
    title: 'a frontend with settings of forwarding, and one that has no effect',
    path: 'frontends/f1/frontend',
    json: {
      Route: 'Path("/")',
      Type: 'http',
      BackendId: 'b1',
      Settings: {
        Hostname: 'h',
        TrustForwardHeader: true,
        StreamFlushIntervalNanoSecs: 5,
      },
    },
    value: {
      route: 'Path("/")',
      backend: 'b1',
      passHost: false,
      forwarded: { trust: true, server: 'h' },
    },
    remarks: ['Settings.StreamFlushIntervalNanoSecs has no effect: data is sent when it comes'],
  },
  {
    title: 'a middleware of a kind that is not here, for admission to name',
    path: 'frontends/f1/middlewares/rl1',
    json: {
      Id: 'rl1',
      Priority: 2,
      Type: 'oauth',
      Middleware: { Requests: 1, kind: 'respond', priority: 9 },
    },
    value: { Requests: 1, kind: 'oauth', priority: 2 },
  },
  {
    title: 'a middleware without a priority',
    path: 'frontends/f1/middlewares/m',
    json: { Type: 'oauth', Middleware: null },
    value: { kind: 'oauth', priority: 0 },
  },
]

for (const { title, path, json, value, remarks } of CASES) {
  test(`${title} is read`, () => {
    const object = read(path, JSON.stringify(json))

    assert.ok(object)
    assert.equal(object.fault, undefined)
    assert.deepEqual(object.value, value)
    assert.deepEqual(object.remarks ?? [], remarks ?? [])
    if (object.kind === 'backend') assert.ok(parseBackend('b1', object.value, String).ok)
  })
}

const FAULTS: readonly (readonly [path: string, text: string, fault: string])[] = [
  ['frontends/f1/frontend', 'null', 'must be a map, not nothing'],
  ['backends/b1/backend', 'null', 'must be a map, not nothing'],
  ['backends/b1/servers/s', 'null', 'must be a map, not nothing'],
  ['backends/b1/servers/s', '"http://a:1"', 'must be a map, not "http://a:1"'],
  ['frontends/f1/middlewares/m', 'null', 'must be a map, not nothing'],
  ['listeners/l', 'null', 'must be a map, not nothing'],
  ['hosts/h/host', 'null', 'must be a map, not nothing'],
  ['backends/b1/backend', '{}', 'Type is missing'],
  ['backends/b1/backend', '{"Type":"HTTP"}', 'Type: must be http, not "HTTP"'],
  ['backends/b1/backend', '{"Type":5}', 'Type: must be text, not 5'],
  ['backends/b1/backend', '{"Type":"http","Settings":[]}', 'Settings: must be a map, not a list'],
  [
    'backends/b1/backend',
    '{"Type":"http","Settings":{"Timeouts":{"Read":5}}}',
    'Settings.Timeouts.Read: must be text, not 5',
  ],
  [
    'backends/b1/backend',
    '{"Type":"http","Settings":{"Timeouts":{"Read":"5"}}}',
    'Settings.Timeouts.Read: must be a duration such as 10s, 500ms or 1m30s, not "5"',
  ],
  [
    'backends/b1/backend',
    '{"Type":"http","Settings":{"Timeouts":{"Dial":"-5s"}}}',
    'Settings.Timeouts.Dial: must not be negative',
  ],
  [
    'backends/b1/backend',
    '{"Type":"http","Settings":{"KeepAlive":{"MaxIdleConnsPerHost":"2"}}}',
    'Settings.KeepAlive.MaxIdleConnsPerHost: must be a whole number, not "2"',
  ],
  [
    'backends/b1/backend',
    '{"Type":"http","Settings":{"TLS":{"MinVersion":"1.2"}}}',
    'Settings.TLS.MinVersion: must be VersionTLS10 or VersionTLS11 or VersionTLS12 or VersionTLS13, not "1.2"',
  ],
  [
    'backends/b1/backend',
    '{"Type":"http","type":"http"}',
    '"Type" and "type" are the same member to vulcand',
  ],
  [
    'backends/b1/backend',
    '{"Type":"http","__proto__":{"Settings":{}}}',
    'cannot be read as JSON: the key "__proto__" is reserved (line 1, column 16)',
  ],
  ['backends/b1/servers/s', '{"Id":"s"}', 'URL is missing'],
  ['frontends/f1/frontend', '{"Type":"http","Route":"Path(`/`)"}', 'BackendId is missing'],
  ['frontends/f1/frontend', '{"Type":"http","BackendId":"b"}', 'Route is missing'],
  ['frontends/f1/frontend', '{"BackendId":"b","Route":"Path(`/`)"}', 'Type is missing'],
  ['frontends/f1/middlewares/m', '{"Type":""}', 'Type is missing'],
  [
    'frontends/f1/middlewares/m',
    '{"Type":"trace","Priority":"1"}',
    'Priority: must be a whole number, not "1"',
  ],
  [
    'frontends/f1/middlewares/m',
    '{"Type":"trace","Middleware":[]}',
    'Middleware: must be a map, not a list',
  ],
  ['listeners/l', '{"Protocol":"http"}', 'Address.Network is missing'],
  [
    'listeners/l',
    '{"Protocol":"tcp","Address":{"Network":"tcp","Address":":1"}}',
    'Protocol: must be http or https, not "tcp"',
  ],
  ['listeners/l', '{"Protocol":"http","Address":{"Network":"tcp"}}', 'Address.Address is missing'],
  [
    'listeners/l',
    '{"Protocol":"http","Address":{"Network":"tcp","Address":":1"},"ProxyProtocol":"v2"}',
    'ProxyProtocol: must be NONE or PROXY_V1, not "V2"',
  ],
  [
    'hosts/h/host',
    '{"Settings":{"Default":true}}',
    'Settings.Default: the default host needs a KeyPair',
  ],
  [
    'hosts/h/host',
    '{"Settings":{"KeyPair":"eyJhIjox"}}',
    'Settings.KeyPair: must be the base64 of a sealed key pair',
  ],
  [
    'hosts/h/host',
    '{"Settings":{"KeyPair":5}}',
    'Settings.KeyPair: must be a sealed key pair, not 5',
  ],
  [
    'hosts/h/host',
    '{"Settings":{"KeyPair":{"Value":{}}}}',
    'Settings.KeyPair: must be sealed as secretbox.v1; vctl secret seal_keypair does that',
  ],
  ['hosts/h/host', '{"Settings":{"KeyPair":{"Key":"YQ=="}}}', 'Settings.KeyPair.Cert is missing'],
]

for (const [path, text, fault] of FAULTS) {
  test(`${path} with ${text} is set aside: ${fault}`, () => {
    const object = read(path, text)

    assert.equal(object?.fault, fault)
    assert.equal(object.value, undefined)
  })
}

for (const [form, toKeyPair] of [
  ['in base64, as vulcand stores it', (json: string) => Buffer.from(json).toString('base64')],
  ['as the object that vctl prints', (json: string) => JSON.parse(json) as unknown],
] as const) {
  test(`a sealed key pair ${form} is opened, and its key is a secret`, () => {
    const text = host({ Default: true, KeyPair: toKeyPair(seal(SEAL_KEY)) })

    const object = read('hosts/h/host', text, SEAL_KEY)

    assert.equal(object?.fault, undefined)
    assert.deepEqual(object?.value, { cert: PEM.Cert, key: PEM.Key, default: true })
    assert.deepEqual(object.secrets, [PEM.Key])
  })
}

test('a key pair that libsodium has sealed is opened', () => {
  const object = read('hosts/h/host', host({ KeyPair: SEALED_BY_LIBSODIUM }), SEAL_KEY)

  assert.deepEqual(object?.value, { cert: PEM.Cert, key: PEM.Key, default: false })
})

test('a sealed key pair without the right seal key is set aside with what would help', () => {
  const text = host({ KeyPair: Buffer.from(seal(SEAL_KEY)).toString('base64') })
  const faults = [null, 'f'.repeat(64), 'short'].map(
    (sealKey) => read('hosts/h/host', text, sealKey)?.fault,
  )

  assert.deepEqual(faults, [
    'Settings.KeyPair is sealed; set sealKey of this source to the key that vulcand was given as -sealKey',
    'Settings.KeyPair cannot be opened: it was sealed with another key than sealKey of this source, or is damaged',
    'Settings.KeyPair cannot be opened: sealKey of this source must be 64 hex digits',
  ])
})

test('a damaged key pair is set aside, wherever the damage is', () => {
  const sealed = JSON.parse(seal(SEAL_KEY)) as { Value: { Val: string; Nonce: string } }
  const { Val, Nonce } = sealed.Value
  const flipped = (Val.startsWith('A') ? 'B' : 'A') + Val.slice(1)
  const faults = [
    { Val: flipped, Nonce },
    { Val: '', Nonce },
    { Val: 'no base64!', Nonce },
    { Val, Nonce: 'YWJj' },
  ].map((Value) => {
    const text = host({ KeyPair: { Encryption: 'secretbox.v1', Value } })
    return read('hosts/h/host', text, SEAL_KEY)?.fault ?? ''
  })

  assert.match(faults[0] ?? '', /is damaged$/)
  assert.match(faults[1] ?? '', /is damaged$/)
  assert.equal(faults[2], 'Settings.KeyPair.Value.Val: must be base64')
  assert.equal(faults[3], 'Settings.KeyPair.Value.Nonce: must have 24 bytes, not 3')
})

test('what was sealed is judged, too', () => {
  const Cert = Buffer.from(PEM.Cert).toString('base64')
  const faults = [{ Key: '', Cert }, { Key: 'YQ==', Cert: 5 }, 'no map'].map((plain) => {
    const text = host({ KeyPair: JSON.parse(seal(SEAL_KEY, plain)) as unknown })
    return read('hosts/h/host', text, SEAL_KEY)?.fault
  })

  assert.deepEqual(faults, [
    'Settings.KeyPair.Key is missing',
    'Settings.KeyPair.Cert: must be text, not 5',
    'Settings.KeyPair: what was sealed is no key pair',
  ])
})

test('a key pair is PEM text, never the path of a file', () => {
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  const paths = { Key: base64('/etc/ssl/private/a.key'), Cert: base64('/etc/ssl/a.crt') }
  const texts = [
    host({ KeyPair: paths }),
    host({ KeyPair: JSON.parse(seal(SEAL_KEY, paths)) as unknown }),
  ]
  for (const text of texts) {
    const object = read('hosts/h/host', text, SEAL_KEY)
    assert.equal(object?.fault, 'Settings.KeyPair.Cert: must be the base64 of PEM text')
  }
})

test('text before the PEM of a key pair is left out, such as the attributes that openssl pkcs12 prints', () => {
  const commented = {
    Key: Buffer.from(`Bag Attributes\n    friendlyName: a\n${PEM.Key}`).toString('base64'),
    Cert: Buffer.from(`subject=CN = a\n\n${PEM.Cert}`).toString('base64'),
  }
  const object = read('hosts/h/host', host({ KeyPair: commented }))
  assert.deepEqual(object?.value, { cert: PEM.Cert, key: PEM.Key, default: false })
})

test('a host without a key pair declares nothing', () => {
  assert.deepEqual(objectsOf({ 'hosts/h/host': '{"Name":"h","Settings":{"KeyPair":""}}' }), [])
  assert.deepEqual(objectsOf({ 'hosts/h/host': '{}' }), [])
})

test('a host that wants stapling or certificates to be ordered is remarked on', () => {
  const text = host({
    KeyPair: JSON.parse(seal(SEAL_KEY)) as unknown,
    OCSP: { Enabled: true },
    AutoCert: { Email: 'x' },
  })

  assert.deepEqual(read('hosts/h/host', text, SEAL_KEY)?.remarks, [
    'Settings.OCSP has no effect: nothing is stapled, as authorities have ended OCSP and browsers do not need it',
    'Settings.AutoCert is not honoured: declare acme, which orders the names of routes',
  ])
})

test('a key without its last segment is read, and gives way to the whole one', () => {
  const short = '{"Type":"http","BackendId":"short","Route":"Path(`/`)"}'
  const whole = '{"Type":"http","BackendId":"whole","Route":"Path(`/`)"}'
  const alone = objectsOf({ 'frontends/f1': short, 'backends/b1': '{"Type":"http"}' })
  const both = objectsOf({ 'frontends/f1': short, 'frontends/f1/frontend': whole })
  const reversed = objectsOf({ 'frontends/f1/frontend': whole, 'frontends/f1': short })

  assert.deepEqual(
    alone.map(({ kind, id, key }) => [kind, id, key]),
    [
      ['frontend', 'f1', '/vulcand/frontends/f1'],
      ['backend', 'b1', '/vulcand/backends/b1'],
    ],
  )
  assert.equal(both.length, 1)
  assert.deepEqual(both[0]?.value, { route: 'Path(`/`)', backend: 'whole', passHost: false })
  assert.deepEqual(both[0].remarks, [
    '"/vulcand/frontends/f1" is not read: "/vulcand/frontends/f1/frontend" takes precedence',
  ])
  assert.deepEqual(reversed, both)
})

test('b1 has nothing of b10, and keys that only vulcand would take for objects are left alone', () => {
  const objects = objectsOf({
    'backends/b1/backend': '{"Type":"http"}',
    'backends/b1/servers/s1': '{"URL":"http://a:1"}',
    'backends/b10/servers/s1': '{"URL":"http://a:10"}',
    'listeners/l1/anything': '{}',
    'elsewhere/frontends/f1': '{}',
    'backends/b1/servers/s1/more': '{}',
    'autocert_cache/x': 'bytes',
  })

  assert.deepEqual(
    objects.map(({ kind, id }) => `${kind} ${id}`),
    ['backend b1', 'server b1/s1', 'server b10/s1'],
  )
})

test('objects are written to the keys that vulcand reads', () => {
  const { pathOf } = createLayout('vulcand', { sealKey: null })

  assert.equal(pathOf('listener', 'l'), 'listeners/l')
  assert.equal(pathOf('host', 'h.example'), 'hosts/h.example/host')
  assert.equal(pathOf('backend', 'b'), 'backends/b/backend')
  assert.equal(pathOf('server', 'b/s'), 'backends/b/servers/s')
  assert.equal(pathOf('frontend', 'f'), 'frontends/f/frontend')
  assert.equal(pathOf('middleware', 'f/m'), 'frontends/f/middlewares/m')
})

function host(settings: unknown): string {
  return JSON.stringify({ Name: 'h', Settings: settings })
}

/** As `vctl secret seal_keypair` prints it. */
function seal(key: string, pair: unknown = PEM): string {
  const plain =
    pair === PEM
      ? Object.fromEntries(
          Object.entries(PEM).map(([name, text]) => [name, Buffer.from(text).toString('base64')]),
        )
      : pair
  const nonce = randomBytes(24)
  const box = xsalsa20poly1305(Buffer.from(key, 'hex'), nonce)
  const bytes = box.encrypt(Buffer.from(JSON.stringify(plain)))
  return JSON.stringify({
    Encryption: 'secretbox.v1',
    Value: {
      Val: Buffer.from(bytes).toString('base64'),
      Nonce: nonce.toString('base64'),
    },
  })
}

function read(
  path: string,
  text: string,
  sealKey: string | null = null,
): DeclaredObject | undefined {
  return objectsOf({ [path]: text }, sealKey)[0]
}

function objectsOf(
  keys: Readonly<Record<string, string>>,
  sealKey: string | null = null,
): DeclaredObject[] {
  const mirror = createMirror(createLayout('vulcand', { sealKey }))
  mirror.replace(
    Object.entries(keys).map(([path, text]) => ({ path, key: `/vulcand/${path}`, text })),
  )
  return [...mirror.declare({ revision: '', listed: 'first', changedAt: 0 }).objects]
}

test('a key below that of a listener is not read, and is named', () => {
  const mirror = createMirror(createLayout('vulcand', { sealKey: null }))
  const text = JSON.stringify({ Protocol: 'http', Address: { Network: 'tcp', Address: ':80' } })
  mirror.replace(
    ['listeners/l1', 'listeners/l1/x', 'listeners/l2/y/z', 'frontends/f/other'].map((path) => ({
      ...{ path, key: `/vulcand/${path}`, text },
    })),
  )

  const { objects, problems } = mirror.declare({ revision: '', listed: 'first', changedAt: 0 })

  assert.deepEqual(
    [...objects].map(({ kind, id }) => `${kind} ${id}`),
    ['listener l1'],
  )
  const why = (id: string): string =>
    `is not read: vulcand takes it for the listener "${id}", whose key has nothing behind the id; write it there`
  assert.deepEqual(
    problems.map(({ kind, id, key, message }) => [kind, id, key, message]),
    [
      ['listener', 'l1', '/vulcand/listeners/l1/x', why('l1')],
      ['listener', 'l2', '/vulcand/listeners/l2/y/z', why('l2')],
    ],
  )
})
