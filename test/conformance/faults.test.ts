// A fault of the proxy's own ends the exchange that it is in, and nothing else; test/simulation/faults.test.ts has all seams.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Certificates } from '../../src/downstream/certificates.ts'
import { Deadlines } from '../../src/http/connection/deadlines.ts'
import { Pool } from '../../src/upstream/pool.ts'
import { Endpoint } from '../../src/upstream/endpoint/endpoint.ts'
import { reasonNumber } from '../../src/http/message/errors.ts'
import { createAuthority } from '../support/certificates.ts'
import { exchange, openClient, openTlsClient } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { startOrigin } from '../support/origin.ts'
import { get } from '../support/refusal.ts'
import { arm, Injected } from '../support/seams.ts'
import { eventually } from '../support/until.ts'

/** Whose call throws is answered with 500, keeps nothing, and its connection and the gateway serve on. */
async function assertEndsAlone(
  t: TestContext,
  gateway: TestGateway,
  [of, name, nth]: readonly [object, string, number],
): Promise<void> {
  const client = await openClient(t, gateway.port)
  const armed = arm(of, name, nth)
  t.after(() => armed.disarm())

  const failed = await client.ask(get('/'))
  armed.disarm()
  const next = await client.ask(get('/'))

  assert.equal(failed.status, 500)
  assert.match(value(failed, 'proxy-status') ?? '', /^sluice; error=proxy_internal_error/)
  assert.equal(next.status, 200)
  assert.equal((await exchange(t, gateway.port, get('/'))).status, 200)
  const { reason, status } = gateway.records()[0] ?? {}
  assert.deepEqual([reason, status], ['INTERNAL', 500])
  assert.equal(gateway.scoreboard.reason(reasonNumber('INTERNAL')), 1)
  const faults = gateway.takeFaults()
  assert.equal(faults.length, 1)
  assert.ok(faults[0] instanceof Injected)
  const slots = gateway.scoreboard.allocate()
  await eventually(
    () =>
      Array.from({ length: slots }, (_, at) => gateway.scoreboard.underWay(at)).every(
        (count) => count === 0,
      ),
    'nothing is counted as under way',
  )
}

test('a server connection that cannot even be tried is 500, and gives its counts back', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  await assertEndsAlone(t, gateway, [Endpoint.prototype, 'acquire', 1])
})

test('what throws behind a back-off is 500, and the thread lives', async (t) => {
  const [origin, resetting] = await Promise.all([
    startOrigin(t),
    startOrigin(t, (_seen, connection) => connection.reset()),
  ])
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: {
      b: {
        servers: { bad: resetting.url, good: origin.url },
        retry: { attempts: 2, backoff: '5ms', budget: { ratio: '100%', perSecond: 1_000 } },
      },
    },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })

  await assertEndsAlone(t, gateway, [Pool.prototype, 'pick', 2])
})

test('a response that has begun is cut visibly', async (t) => {
  const origin = await startOrigin(t, (_seen, connection) => {
    connection.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha')
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)
  client.send(get('/'))
  const { connection } = await origin.request(1)
  await eventually(() => client.received() > 0, 'the head')
  const armed = arm(Endpoint.prototype, 'completed', 1)
  t.after(() => armed.disarm())

  connection.write('lf')
  const ending = await client.closed()

  assert.equal(ending, 'reset')
  await eventually(() => gateway.records().length === 1, 'the exchange has ended')
  assert.equal(gateway.records()[0]?.reason, 'INTERNAL')
  assert.equal(gateway.takeFaults().length, 1)
})

test('what throws while a connection is accepted ends that one alone', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const bystander = await openClient(t, gateway.port)
  await bystander.ask(get('/'))
  const armed = arm(Deadlines.prototype, 'add', 1)
  t.after(() => armed.disarm())

  const ending = await (await openClient(t, gateway.port)).closed()

  assert.notEqual(ending, null)
  assert.equal((await bystander.ask(get('/'))).status, 200)
  assert.equal((await exchange(t, gateway.port, get('/'))).status, 200)
  // What is half made has faults of its own when it closes.
  assert.ok(gateway.takeFaults()[0] instanceof Injected)
})

test('what throws while a certificate is chosen ends that handshake alone', async (t) => {
  const authority = createAuthority(t)
  const { certPath, keyPath } = authority.issue('a.test')
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    origin: origin.port,
    listener: { protocol: 'https', tls: { certificates: [{ cert: certPath, key: keyPath }] } },
  })
  const armed = arm(Certificates.prototype, 'context', 1)
  t.after(() => armed.disarm())
  const options = { servername: 'a.test', ca: authority.cert }

  await assert.rejects(openTlsClient(t, gateway.port, options))
  const client = await openTlsClient(t, gateway.port, options)

  assert.equal((await client.ask(get('/'))).status, 200)
  assert.equal(gateway.takeFaults().length, 1)
})
