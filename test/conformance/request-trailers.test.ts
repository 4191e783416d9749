// RFC 9110 section 6.5.1, RFC 9440: what names the client to a server cannot come as a trailer, by any protocol on either side.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { towardsHttp2 } from '../support/http2-servers.ts'
import { openHttp2Client } from '../support/http2/client.ts'
import { startHttp2Server } from '../support/http2/server.ts'
import type { Field } from '../support/message.ts'
import { startOrigin } from '../support/origin.ts'
import { request } from '../support/refusal.ts'

const FORGED: readonly Field[] = [
  ...['client-cert', 'client_cert', 'client-cert-chain', 'client_cert_chain', 'client-cert_chain'],
  ...['x-forwarded-for', 'x_forwarded_for', 'x-forwarded-tls-client-cert', 'forwarded'],
  ...['x-real-ip', 'x_real_ip', 'x-request-id', 'authorization', 'host'],
].map((name) => [name, ':Zm9yZ2Vk:'])
const TRAILERS: readonly Field[] = [...FORGED, ['x-sum', '5']]

function lower(fields: readonly Field[] | null | undefined): Field[] {
  return (fields ?? []).map(([name, value]) => [name.toLowerCase(), value])
}

const CLIENTS: Readonly<Record<string, (t: TestContext, port: number) => Promise<number>>> = {
  'HTTP/1.1': async (t, port) => {
    const client = await openClient(t, port)
    const lines = TRAILERS.map(([name, value]) => `${name}: ${value}\r\n`).join('')
    const body = `5\r\nhello\r\n0\r\n${lines}\r\n`
    return (await client.ask(request('POST', '/', 'Transfer-Encoding: chunked') + body)).status
  },
  'HTTP/2': async (t, port) => {
    const client = await openHttp2Client(t, port)
    return (await client.ask({ method: 'POST', body: 'hello', trailers: TRAILERS })).status
  },
}

for (const [protocol, send] of Object.entries(CLIENTS)) {
  test(`trailers from ${protocol} that name the client never reach a server of HTTP/1.1`, async (t) => {
    const origin = await startOrigin(t)
    const gateway = await startGateway(t, { origin: origin.port })

    assert.equal(await send(t, gateway.port), 200)

    assert.deepEqual(lower(origin.requests[0]?.message().trailers), [['x-sum', '5']])
  })

  test(`trailers from ${protocol} that name the client never reach a server of HTTP/2`, async (t) => {
    const server = await startHttp2Server(t)
    const gateway = await towardsHttp2(t, { servers: server.port })

    assert.equal(await send(t, gateway.port), 200)

    assert.deepEqual(lower(server.requests[0]?.stream.trailers), [['x-sum', '5']])
  })
}
