import assert from 'node:assert/strict'
import { test } from 'node:test'
import { translateSection, type Translated } from '../../src/providers/synapse/haproxy/translate.ts'

function translate(
  lines: readonly string[],
  {
    defaults = [],
    server = '',
    bind = '',
  }: { defaults?: readonly string[]; server?: string; bind?: string } = {},
): Translated {
  return translateSection({ defaults, lines, serverOptions: server, bindOptions: bind })
}

test('without a mode a service is a stream, as in HAProxy', () => {
  const { listener, scheme } = translate([])

  assert.deepEqual([listener, scheme], [{ protocol: 'tcp' }, 'tcp'])
})

test('mode http of defaults holds for a service that says nothing', () => {
  const defaults = ['mode http', 'balance leastconn']

  const { listener, backend, scheme } = translate([], { defaults })

  assert.deepEqual([listener['protocol'], scheme], ['http', 'http'])
  assert.deepEqual(backend, { balance: 'least-connections' })
})

test('a line of the service replaces that of defaults', () => {
  const { listener } = translate(['mode tcp'], { defaults: ['mode http'] })

  assert.equal(listener['protocol'], 'tcp')
})

test('check words become a health check, over HTTP with httpchk', () => {
  const server = 'check inter 2s downinter 500 rise 3 fall 4 port 9000'
  const lines = ['mode http', 'option httpchk GET /health HTTP/1.0', 'http-check expect string OK.']

  const { backend, notes } = translate(lines, { server })

  assert.deepEqual(backend['health'], {
    kind: 'http',
    method: 'GET',
    path: '/health',
    body: 'OK\\.',
    port: 9000,
    downInterval: '500ms',
    interval: '2000ms',
    timeout: '2000ms',
    rise: 3,
    fall: 4,
  })
  assert.deepEqual(notes.warnings, [])
})

test('a check of a stream is a connection, and without the word check there is none', () => {
  const checked = translate([], { server: 'check' })
  const unchecked = translate(['option httpchk /'], { server: 'inter 2s' })

  assert.deepEqual(checked.backend['health'], {
    ...{ kind: 'tcp', interval: '2000ms', timeout: '2000ms', rise: 2, fall: 3 },
  })
  assert.equal('health' in unchecked.backend, false)
})

test('a stream with a check over HTTP has servers of HTTP', () => {
  const { listener, scheme } = translate(['option httpchk /up'], { server: 'check' })

  assert.deepEqual([listener['protocol'], scheme], ['tcp', 'http'])
})

test('timeouts are those of the mode', () => {
  const defaults = ['timeout connect 3s', 'timeout client 1m', 'srvtimeout 20000', 'retries 3']

  const http = translate(['mode http'], { defaults })
  const tcp = translate([], { defaults })

  assert.deepEqual(http.listener['timeouts'], { head: '60000ms', body: '60000ms', idle: '60000ms' })
  assert.deepEqual(http.backend['timeouts'], {
    ...{ connect: '3000ms', firstByte: '20000ms', stall: '20000ms' },
  })
  assert.deepEqual(tcp.backend['timeouts'], { connect: '3000ms', tunnel: '20000ms' })
  assert.deepEqual(tcp.backend['retry'], { attempts: 4 })
})

test('balance has its counterpart', () => {
  const balances = ['roundrobin', 'source', 'hdr(X-User)', 'uri', 'random(2)'].map(
    (algorithm) => translate([`balance ${algorithm}`]).backend,
  )

  assert.deepEqual(balances, [
    { balance: 'round-robin' },
    { balance: 'hash', hash: { from: 'client-ip' } },
    { balance: 'hash', hash: { from: 'header', name: 'X-User' } },
    { balance: 'hash', hash: { from: 'path' } },
    { balance: 'random' },
  ])
})

test('words of servers become members of the backend', () => {
  const server = 'maxconn 50 slowstart 10s send-proxy-v2 ssl verify none sni str(db.internal)'

  const { backend, scheme } = translate([], { server })

  assert.equal(scheme, 'tls')
  assert.deepEqual(backend, {
    limits: { connections: 50 },
    slowStart: '10000ms',
    proxyProtocol: 'v2',
    tls: { verify: false, serverName: 'db.internal' },
  })
})

test('an inserted cookie is a sticky session, of HTTP only', () => {
  const line = 'cookie SRV insert indirect nocache'

  assert.deepEqual(translate(['mode http', line]).backend['sticky'], { cookie: 'SRV' })
  const stream = translate([line])
  assert.equal('sticky' in stream.backend, false)
  assert.equal(stream.notes.warnings.length, 1)
})

test('bind options are TLS with one file for chain and key, and PROXY headers', () => {
  const bind = 'ssl no-sslv3 crt /etc/site.pem ciphers ECDHE-RSA-AES128-GCM-SHA256 accept-proxy'

  const http = translate(['mode http'], { bind })
  const tcp = translate([], { bind })

  assert.deepEqual(http.listener, {
    protocol: 'https',
    tls: { certificates: [{ cert: '/etc/site.pem', key: '/etc/site.pem' }] },
    proxyProtocol: { trusted: ['0.0.0.0/0', '::/0'] },
  })
  assert.equal(tcp.listener['protocol'], 'tcp')
  assert.deepEqual(http.notes.refusals, [])
})

test('what keeps clients out refuses the service', () => {
  const refused = [
    translate(['http-request deny if !internal']),
    translate(['tcp-request connection reject if bad']),
    translate(['block if bad']),
    translate([], { defaults: ['http-request auth unless ok'] }),
    translate([], { bind: 'ssl crt a.pem ca-file clients.pem verify required' }),
    translate([], { bind: 'ssl' }),
    translate(['disabled']),
    translate(['mode health']),
  ].map(({ notes }) => notes.refusals.length > 0)

  assert.deepEqual(refused, Array(8).fill(true))
})

test('a line without a counterpart is a warning, one that is not needed a hint', () => {
  const { notes } = translate([
    'acl local hdr(host) -i a',
    'use_backend other if local',
    'http-request set-header X-A b',
    'option tcplog',
    'log global',
    'option tcp-check',
    'frobnicate',
    '# a comment',
    '',
  ])

  assert.deepEqual([notes.warnings.length, notes.hints.length, notes.refusals.length], [4, 3, 0])
})

test('http-check has the forms that people write', () => {
  const healthOf = (lines: readonly string[]): unknown =>
    translate(['mode http', ...lines], { server: 'check' }).backend['health']
  const common = { interval: '2000ms', timeout: '2000ms', rise: 2, fall: 3 }

  assert.deepEqual(healthOf(['option httpchk /health']), {
    ...{ kind: 'http', method: 'OPTIONS', path: '/health', ...common },
  })
  assert.deepEqual(
    healthOf([
      'option httpchk HEAD / HTTP/1.1\\r\\nHost:\\ shop.example',
      'http-check expect rstatus (2|3)[0-9][0-9]',
    ]),
    {
      ...{ kind: 'http', method: 'HEAD', path: '/', host: 'shop.example' },
      ...{ status: ['200-299', '300-399'], ...common },
    },
  )
  assert.deepEqual(
    healthOf([
      'option httpchk',
      'http-check send meth GET uri /up hdr Host a.example',
      'http-check expect status 204',
    ]),
    {
      ...{
        kind: 'http',
        method: 'GET',
        path: '/up',
        host: 'a.example',
        status: ['204'],
        ...common,
      },
    },
  )
})

test('an option of servers that is not known is left out with its argument', () => {
  const { backend, notes } = translate([], { server: 'observe layer4 maxconn 7 weight nine' })

  assert.deepEqual(backend, { limits: { connections: 7 } })
  assert.equal(notes.warnings.length, 2)
})
