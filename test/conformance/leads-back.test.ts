// A server's name may lead to the proxy itself, whatever admission saw: RFC 9209 2.3.13 (proxy_loop_detected).
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { createAuthority } from '../support/certificates.ts'
import { exchange, type ReceivedResponse } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { listen, startOrigin } from '../support/origin.ts'
import { get } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

function towards(
  servers: Readonly<Record<string, string>>,
  listeners: object = { web: { address: '127.0.0.1:0' } },
): object {
  return {
    listeners,
    backends: { b: { servers } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  }
}

async function assertLoop(gateway: TestGateway, response: ReceivedResponse): Promise<void> {
  assert.equal(response.status, 502, response.head)
  const proxyStatus = value(response, 'proxy-status')
  assert.equal(proxyStatus, 'sluice; error=proxy_loop_detected; details="leads back to proxy"')
  await eventually(() => gateway.records().length > 0, 'the record')
  assert.equal(gateway.records().at(-1)?.reason, 'LEADS_BACK_TO_PROXY')
  assert.equal(gateway.records().at(-1)?.attempts, 1)
}

/** Hears what it is sent and answers nothing. */
async function startDeaf(
  t: TestContext,
): Promise<{ readonly port: number; connections(): number; bytes(): number; ended(): number }> {
  const seen = { connections: 0, bytes: 0, ended: 0 }
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    seen.connections++
    sockets.add(socket)
    socket.on('data', ({ length }) => (seen.bytes += length))
    socket.on('error', () => {})
    socket.on('close', () => seen.ended++)
  })
  const port = await listen(server)
  t.after(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  return {
    port,
    connections: () => seen.connections,
    bytes: () => seen.bytes,
    ended: () => seen.ended,
  }
}

for (const [where, address, host] of [
  ['a listener at its address', '127.0.0.1:0', '127.0.0.1'],
  ['a listener by its name', '127.0.0.1:0', 'localhost'],
  ['a listener of everywhere', ':0', 'localhost'],
  ['a listener of everywhere at another loopback address', '0.0.0.0:0', '127.0.1.1'],
] as const) {
  test(`a server that is ${where} is 502, after one connection`, async (t) => {
    const listeners = { web: { address } }
    const gateway = await startGateway(t, towards({}, listeners))
    await gateway.apply(towards({ self: `http://${host}:${gateway.port}` }, listeners))
    assert.deepEqual(gateway.problems(), [])

    const response = await exchange(t, gateway.port, get('/'))

    await assertLoop(gateway, response)
    const { detail } = gateway.records()[0] ?? {}
    assert.match(
      detail ?? '',
      /^server http:\S+ leads back to the proxy: it is listener "web"; give it another address$/,
    )
    assert.equal(gateway.records().length, 1)
  })
}

for (const scheme of ['http', 'https'] as const) {
  test(`a server that is the admin by its name gets no request over ${scheme}`, async (t) => {
    const admin = await startDeaf(t)
    const servers = { one: `${scheme}://localhost:${admin.port}` }
    const gateway = await startGateway(t, { ...towards(servers), admin: admin.port })

    const response = await exchange(t, gateway.port, 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await assertLoop(gateway, response)
    await eventually(() => admin.ended() === 1, 'the end of the connection')

    assert.deepEqual([admin.connections(), admin.bytes()], [1, 0])
    assert.match(gateway.records()[0]?.detail ?? '', /is the admin;/)
  })
}

test('another server of the backend answers instead, and the one that leads back rests', async (t) => {
  const origin = await startOrigin(t)
  const admin = await startDeaf(t)
  const servers = { self: `http://localhost:${admin.port}`, good: origin.url }
  const gateway = await startGateway(t, { ...towards(servers), admin: admin.port })

  for (let i = 0; i < 4; i++) {
    const response = await exchange(t, gateway.port, get('/'))
    assert.equal(response.status, 200)
  }

  assert.equal(admin.connections(), 1)
  assert.equal(admin.bytes(), 0)
})

test('a server on the port of a listener at another address is a server', async (t) => {
  const authority = createAuthority(t)
  const { cert, key } = authority.issue('localhost')
  const origin = await startOrigin(t, undefined, { cert, key })
  const plain = await startOrigin(t)
  const gateway = await startGateway(t, {
    listeners: {
      web: { address: '127.0.0.1:0' },
      beside: { address: `127.0.0.2:${plain.port}` },
      below: { address: `127.0.0.2:${origin.port}` },
    },
    backends: {
      plain: { servers: { one: `http://localhost:${plain.port}` } },
      secure: { servers: { one: `https://localhost:${origin.port}` }, tls: { verify: false } },
    },
    frontends: {
      plain: { route: 'Path("/plain")', backend: 'plain' },
      secure: { route: 'Path("/secure")', backend: 'secure' },
    },
  })

  assert.equal((await exchange(t, gateway.port, get('/plain'))).status, 200)
  assert.equal((await exchange(t, gateway.port, get('/secure'))).status, 200)
})
