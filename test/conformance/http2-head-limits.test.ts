// RFC 9113 section 6.5.2: a head that is larger than the peer's SETTINGS_MAX_HEADER_LIST_SIZE is not sent.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ERRORS } from '../../src/http/message/errors.ts'
import { openClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { towardsHttp2 } from '../support/http2-servers.ts'
import { openHttp2Client } from '../support/http2/client.ts'
import { SETTING } from '../support/http2/frames.ts'
import { respondsOk, startHttp2Server } from '../support/http2/server.ts'
import { startOrigin } from '../support/origin.ts'
import { get } from '../support/refusal.ts'

const LONG = 'x'.repeat(600)

test('a response head that is larger than its client takes is 502 with the reason, and the next request is served', async (t) => {
  const origin = await startOrigin(t, (request, connection) => {
    const more = request.target === '/large' ? `X-Long: ${LONG}\r\n` : ''
    connection.write(`HTTP/1.1 200 OK\r\n${more}Content-Length: 2\r\n\r\nok`)
  })
  const gateway = await startGateway(t, { origin: origin.port, listener: { protocol: 'h2c' } })
  const client = await openHttp2Client(t, gateway.port, {
    settings: [[SETTING.maxHeaderListSize, 600]],
  })

  const large = await client.ask({ path: '/large' })
  const small = await client.ask({ path: '/small' })

  assert.deepEqual([large.status, small.status], [502, 200])
  const [record] = gateway.records()
  assert.equal(record?.reason, 'ANSWER_REFUSED')
  // Otherwise one client could trip the breaker of a route.
  assert.equal(ERRORS[record.reason].blame, 'client')
  assert.match(record.detail, /^the response's head has \d+ bytes, and the client takes 600/)
})

test('a client that takes no head at all gets a reset, and its connection goes on', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port, listener: { protocol: 'h2c' } })
  const client = await openHttp2Client(t, gateway.port, {
    settings: [[SETTING.maxHeaderListSize, 20]],
  })

  const outcomes = [
    await client.outcome(client.request()),
    await client.outcome(client.request({ path: '/again' })),
  ]

  assert.deepEqual(outcomes, ['reset internal', 'reset internal'])
  assert.equal(client.ending(), null)
})

test('an interim response that is larger than its client takes is left out', async (t) => {
  const origin = await startOrigin(
    t,
    `HTTP/1.1 103 Early Hints\r\nLink: <${LONG}>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`,
  )
  const gateway = await startGateway(t, { origin: origin.port, listener: { protocol: 'h2c' } })
  const client = await openHttp2Client(t, gateway.port, {
    settings: [[SETTING.maxHeaderListSize, 600]],
  })

  const response = await client.ask()

  assert.deepEqual([response.status, response.interim.length], [200, 0])
})

test('a request head that is larger than its server takes is 431, and neither sent nor a failure of the server', async (t) => {
  const server = await startHttp2Server(t, respondsOk, {
    settings: [[SETTING.maxHeaderListSize, 800]],
  })
  const gateway = await towardsHttp2(t, { servers: server.port })
  const client = await openClient(t, gateway.port)
  // With it the server's SETTINGS arrive.
  const first = await client.ask(get('/first'))

  const large = await client.ask(get('/large', `X-Long: ${LONG}`))
  const small = await client.ask(get('/small'))

  assert.deepEqual([first.status, large.status, small.status], [200, 431, 200])
  assert.equal(server.requests.length, 2)
  assert.equal(server.connections.length, 1)
  const record = gateway.records()[1]
  assert.equal(record?.reason, 'HEAD_TOO_LARGE')
  assert.match(record.detail, /^the request's head has \d+ bytes, and the server takes 800/)
})
