// The PROXY protocol of clients: trusted peers must send a header, and what it claims is the address of the client.
import assert from 'node:assert/strict'
import { connect as connectTls } from 'node:tls'
import { test, type TestContext } from 'node:test'
import { writeProxyHeader } from '../../src/http/proxy-protocol/write-header.ts'
import { createAuthority } from '../support/certificates.ts'
import { openClient, type Client } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { OK, startOrigin, type Origin } from '../support/origin.ts'
import { startProxyReader } from '../support/proxy-reader.ts'
import { get, request } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

const source = { host: '198.51.100.7', port: 4711 }
const destination = { host: '203.0.113.1', port: 443 }
const V1 = writeProxyHeader(1, { source, destination })
const V2 = writeProxyHeader(2, { source, destination })

interface Started {
  readonly gateway: TestGateway
  readonly origin: Origin
}

async function start(t: TestContext, listener: object = {}, more: object = {}): Promise<Started> {
  const origin = await startOrigin(t, OK)
  const proxyProtocol = { trusted: ['127.0.0.0/8'] }
  const gateway = await startGateway(t, {
    origin: origin.port,
    listener: { proxyProtocol, ...listener },
    ...more,
  })
  return { gateway, origin }
}

/** A connection that has begun with these bytes. */
async function openWith(t: TestContext, port: number, first: string | Buffer): Promise<Client> {
  const client = await openClient(t, port)
  client.send(first)
  return client
}

for (const [name, header] of [
  ['v1', V1],
  ['v2', V2],
] as const) {
  test(`the claimed address is the client's for every request of the connection (${name})`, async (t) => {
    const { gateway, origin } = await start(t)
    const client = await openWith(t, gateway.port, header)

    await client.ask(get('/'))
    await client.ask(request('POST', '/', 'Content-Length: 2') + 'hi')

    for (const received of origin.requests) {
      assert.equal(value(received, 'x-forwarded-for'), '198.51.100.7')
      assert.equal(value(received, 'x-real-ip'), '198.51.100.7')
    }
    assert.equal(origin.requests[1]?.body(), 'hi')
    const [record] = gateway.records()
    assert.deepEqual([record?.peerIp, record?.clientIp], ['198.51.100.7', '198.51.100.7'])
  })

  test(`a header in pieces of one byte, and one with a request behind it, are read (${name})`, async (t) => {
    const { gateway, origin } = await start(t)
    const pieces = await openClient(t, gateway.port)
    const whole = Buffer.concat([
      header,
      Buffer.from(request('POST', '/', 'Content-Length: 2')),
      Buffer.from('hi'),
    ])

    await pieces.sendPieces(Array.from(whole, (byte) => Buffer.of(byte)))
    const first = await pieces.readResponse()
    const joined = await openWith(
      t,
      gateway.port,
      Buffer.concat([whole, Buffer.from(get('/next'))]),
    )
    const second = [await joined.readResponse(), await joined.readResponse()]

    assert.deepEqual(
      [first, ...second].map(({ status }) => status),
      [200, 200, 200],
    )
    assert.deepEqual(
      origin.requests.map((received) => [received.target, received.body()]),
      [
        ['/', 'hi'],
        ['/', 'hi'],
        ['/next', ''],
      ],
    )
  })
}

test('a large body behind the header arrives whole', async (t) => {
  const { gateway, origin } = await start(t)
  const body = 'x'.repeat(300_000)

  const client = await openWith(
    t,
    gateway.port,
    Buffer.concat([V2, Buffer.from(request('POST', '/', `Content-Length: ${body.length}`) + body)]),
  )

  assert.equal((await client.readResponse()).status, 200)
  assert.equal(origin.requests[0]?.body(), body)
})

test('without an address in the header, the client is the peer', async (t) => {
  const { gateway, origin } = await start(t)
  const unix = Buffer.concat([
    V2.subarray(0, 12),
    Buffer.from('213100d8', 'hex'),
    Buffer.alloc(216),
  ])

  for (const header of [writeProxyHeader(1), writeProxyHeader(2), unix]) {
    const client = await openWith(t, gateway.port, header)
    assert.equal((await client.ask(get('/'))).status, 200)
  }

  for (const received of origin.requests)
    assert.equal(value(received, 'x-forwarded-for'), '127.0.0.1')
})

test('forwarding headers count only if the claimed address is trusted', async (t) => {
  const { gateway, origin } = await start(t, {}, { trusted: ['127.0.0.0/8', '203.0.113.9/32'] })
  const ask = get('/', 'X-Forwarded-For: 192.0.2.1')
  const stranger = await openWith(t, gateway.port, V2)
  const known = { source: { host: '203.0.113.9', port: 1 }, destination }
  const proxy = await openWith(t, gateway.port, writeProxyHeader(2, known))

  await stranger.ask(ask)
  await proxy.ask(ask)

  assert.deepEqual(
    origin.requests.map((received) => value(received, 'x-forwarded-for')),
    ['198.51.100.7', '192.0.2.1, 203.0.113.9'],
  )
  assert.deepEqual(
    gateway.records().map(({ clientIp }) => clientIp),
    ['198.51.100.7', '192.0.2.1'],
  )
})

test('routes and limits of clients see the claimed address', async (t) => {
  const { gateway } = await start(
    t,
    { limits: { connectionsPerClient: 1 } },
    { frontend: { route: 'ClientIP("198.51.100.0/24")' } },
  )
  const first = await openWith(t, gateway.port, V1)
  const other = { source: { host: '192.0.2.1', port: 1 }, destination }

  const served = await first.ask(get('/'))
  const second = await openWith(t, gateway.port, V1)
  const refused = await second.readResponse()
  const elsewhere = await openWith(t, gateway.port, writeProxyHeader(1, other))
  const unrouted = await elsewhere.ask(get('/'))

  assert.deepEqual([served.status, refused.status, unrouted.status], [200, 503, 404])
})

test('what it claims is passed on in PROXY headers to servers', async (t) => {
  const origin = await startOrigin(t, OK)
  const reader = await startProxyReader(t, origin.port)
  const gateway = await startGateway(t, {
    origin: reader.port,
    listener: { proxyProtocol: { trusted: ['127.0.0.1'] } },
    backend: { proxyProtocol: 'v2' },
  })

  for (const header of [V1, writeProxyHeader(1)]) {
    const client = await openWith(t, gateway.port, header)
    assert.equal((await client.ask(get('/'))).status, 200)
  }

  const none = { version: 2, source: null, destination: null }
  assert.deepEqual(reader.headers, [{ version: 2, source, destination }, none])
})

test('TLS follows the header, in the same segment or in pieces', async (t) => {
  const authority = createAuthority(t)
  const { certPath, keyPath } = authority.issue('a.test')
  const certificates = [{ cert: certPath, key: keyPath }]
  const { gateway, origin } = await start(t, { protocol: 'https', tls: { certificates } })

  for (const header of [V1, V2]) {
    const below = await openClient(t, gateway.port)
    below.socket.removeAllListeners('data')
    // The ClientHello is written in the same turn.
    below.socket.cork()
    below.socket.write(header)
    const socket = connectTls({ socket: below.socket, servername: 'a.test', ca: authority.cert })
    t.after(() => socket.destroy())
    below.socket.uncork()
    socket.write(get('/'))
    await eventually(() => socket.read() as Buffer | null, 'the response')
  }

  assert.equal(origin.requests.length, 2)
  for (const received of origin.requests) {
    assert.equal(value(received, 'x-forwarded-for'), '198.51.100.7')
    assert.equal(value(received, 'x-forwarded-proto'), 'https')
  }
})

// What is refused.

const HOSTILE: readonly (readonly [string, string | Buffer, RegExp])[] = [
  ['a request without a header', get('/'), /it does not begin with a PROXY header/],
  ['a TLS handshake', '\x16\x03\x01\x02\0', /it does not begin with a PROXY header/],
  ['107 bytes without an end', `PROXY TCP4 ${'1'.repeat(96)}`, /no end within 107 bytes/],
  [
    'a malformed line',
    'PROXY TCP4 1.2.3.4 nobody 1 2\r\n',
    /malformed PROXY header: "PROXY TCP4 1/,
  ],
  [
    'a malformed binary header',
    Buffer.concat([V2.subarray(0, 12), Buffer.from('4100', 'hex')]),
    /unknown version/,
  ],
  ['one that is too long', Buffer.concat([V2.subarray(0, 14), Buffer.of(255, 255)]), /65551 bytes/],
]

for (const [what, bytes, reason] of HOSTILE) {
  test(`${what} from a trusted peer closes the connection, with one line in the log`, async (t) => {
    const { gateway, origin } = await start(t)
    const healthy = await openWith(t, gateway.port, V2)

    const clients = await Promise.all([1, 2, 3].map(() => openWith(t, gateway.port, bytes)))
    for (const client of clients) await client.closed()

    assert.equal((await healthy.ask(get('/'))).status, 200)
    assert.equal(origin.requests.length, 1)
    assert.equal(gateway.notices().length, 1)
    const [notice = ''] = gateway.notices()
    assert.match(notice, reason)
    assert.match(
      notice,
      /^listener "web" closed a connection from 127\.0\.0\.1: it .*; connections from proxyProtocol\.trusted must/,
    )
  })
}

test('a trusted peer that sends no header, or half of one, is closed at the time limit', async (t) => {
  for (const [bytes, reason] of [
    ['', /has sent no PROXY header in 100 ms/],
    [V1.subarray(0, 20), /has sent only a part of its PROXY header in 100 ms/],
    [V2.subarray(0, 20), /has sent only a part of its PROXY header in 100 ms/],
  ] as const) {
    const { gateway } = await start(t, { timeouts: { head: '100ms' } })
    const client = await openWith(t, gateway.port, Buffer.from(bytes))

    await client.closed()

    assert.equal(gateway.notices().length, 1)
    assert.match(gateway.notices()[0] ?? '', reason)
  }
})

test('half of a header before the end of the connection is refused, a check of the port is not', async (t) => {
  const { gateway } = await start(t)
  const check = await openClient(t, gateway.port)
  check.end()
  await check.closed()
  assert.deepEqual(gateway.notices(), [])

  const half = await openWith(t, gateway.port, V1.subarray(0, 20))
  half.end()
  await half.closed()

  assert.match(gateway.notices()[0] ?? '', /it ends within its PROXY header/)
})

test('a peer that is not trusted is served without a header, and refused with one', async (t) => {
  for (const listener of [
    { proxyProtocol: { trusted: ['10.0.0.0/8'] } },
    { proxyProtocol: undefined },
  ]) {
    const { gateway, origin } = await start(t, listener)
    const plain = await openClient(t, gateway.port)
    assert.equal((await plain.ask(get('/'))).status, 200)

    for (const header of [V1, V2]) {
      const alone = await openWith(t, gateway.port, header)
      const joined = await openWith(t, gateway.port, Buffer.concat([header, Buffer.from(get('/'))]))
      for (const client of [alone, joined]) {
        const response = await client.readResponse()
        assert.equal(response.status, 400)
        assert.match(response.body.toString(), /PROXY header.*proxyProtocol\.trusted/)
        await client.closed()
      }
    }

    assert.equal(origin.requests.length, 1)
    for (const { reason } of gateway.records().slice(1)) assert.equal(reason, 'BAD_REQUEST_LINE')
  }
})

test('a header on an https listener that expects none gets a response that names it', async (t) => {
  const { certPath, keyPath } = createAuthority(t).issue('a.test')
  const certificates = [{ cert: certPath, key: keyPath }]
  const { gateway } = await start(t, {
    protocol: 'https',
    tls: { certificates },
    proxyProtocol: undefined,
  })

  for (const header of [V1, V2]) {
    const client = await openWith(t, gateway.port, header)
    const response = await client.readResponse()
    assert.equal(response.status, 400)
    assert.match(response.body.toString(), /PROXY header.*proxyProtocol\.trusted/)
  }
})

test('a second header is a malformed request', async (t) => {
  const { gateway, origin } = await start(t)
  const client = await openWith(t, gateway.port, Buffer.concat([V1, V1]))

  const response = await client.readResponse()

  assert.equal(response.status, 400)
  assert.equal(origin.requests.length, 0)
})

test('a change of the trusted peers applies to the next connection', async (t) => {
  const { gateway, origin } = await start(t)
  const before = await openWith(t, gateway.port, V1)
  await before.ask(get('/'))

  await gateway.apply({ origin: origin.port })
  const after = await openClient(t, gateway.port)
  const statuses = [await before.ask(get('/')), await after.ask(get('/'))].map(
    ({ status }) => status,
  )

  assert.deepEqual(statuses, [200, 200])
})
