// facts/wire.md 1, 4 and 6: time limits, each checked at least once a second. The limits are short here, by configuration.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { connect } from 'node:net'
import { test, type TestContext } from 'node:test'
import { openClient } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { OK, startOrigin, type Origin } from '../support/origin.ts'
import { get, request, sentinel } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

/** A limit of 300 ms that is looked at once a second, with room for a busy machine. */
const LATEST_MS = 2_500
const SHORT = '300ms'

interface Times {
  readonly client?: object
  readonly server?: object
}

function limited(t: TestContext, url: string, times: Times): Promise<TestGateway> {
  return startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0', timeouts: times.client ?? {} } },
    backends: { b: { servers: { s: url }, timeouts: times.server ?? {} } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })
}

test('a head that does not come to its end is answered 408', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await limited(t, origin.url, { client: { head: SHORT } })
  const client = await openClient(t, gateway.port)
  const began = performance.now()

  client.send('GET / HTTP/1.1\r\nHost: a.test\r\n')
  const response = await client.readResponse()

  assert.equal(response.status, 408)
  assert.equal(value(response, 'connection'), 'close')
  await client.closed()
  assert.ok(performance.now() - began < LATEST_MS)
  assert.equal(origin.connections.length, 0)
})

test('bytes that trickle in do not extend the limit of a head', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await limited(t, origin.url, { client: { head: SHORT } })
  const client = await openClient(t, gateway.port)
  const began = performance.now()

  client.send('GET / HTTP/1.1\r\nHost: a.test\r\nX-Slow: ')
  const drip = setInterval(() => client.send('x'), 20)
  t.after(() => clearInterval(drip))
  const response = await client.readResponse()
  clearInterval(drip)

  assert.equal(response.status, 408)
  assert.ok(performance.now() - began < LATEST_MS)
})

test('a second head on a connection has the same limit', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await limited(t, origin.url, { client: { head: SHORT } })
  const client = await openClient(t, gateway.port)

  await client.ask(get('/'))
  client.send('GET /again')

  assert.equal((await client.readResponse()).status, 408)
})

test('a connection on which nothing comes is closed without a response', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await limited(t, origin.url, { client: { head: SHORT, idle: SHORT } })
  const silent = await openClient(t, gateway.port)
  const idle = await openClient(t, gateway.port)
  await idle.ask(get('/'))

  assert.equal(await silent.closed(LATEST_MS), 'fin')
  assert.equal(await idle.closed(LATEST_MS), 'fin')
  assert.equal(idle.rest(), '')
  assert.match(silent.rest(), /^$|^HTTP\/1\.1 408 /)
})

test('a connection whose exchange is long is not idle', async (t) => {
  const origin = await startOrigin(t, (request, connection) => {
    if (request.target !== '/long') connection.write(OK)
  })
  const gateway = await limited(t, origin.url, {
    client: { head: SHORT, idle: SHORT, body: SHORT },
  })
  const idle = await openClient(t, gateway.port)
  const busy = await openClient(t, gateway.port)
  busy.send(get('/long'))
  await origin.request(1)

  await idle.ask(get('/'))
  await idle.closed(LATEST_MS)
  origin.connections[0]?.write(OK)

  assert.equal((await busy.readResponse()).status, 200)
})

test('a body that makes no progress is answered 408 and aborted at the server', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await limited(t, origin.url, { client: { body: SHORT } })

  for (const framing of ['Content-Length: 10', 'Transfer-Encoding: chunked']) {
    origin.forget()
    const client = await openClient(t, gateway.port)
    const began = performance.now()
    client.send(`${request('POST', '/', framing)}5\r\nhello\r\n`.slice(0, -3))
    const response = await client.readResponse()

    assert.equal(response.status, 408)
    await client.closed()
    assert.ok(performance.now() - began < LATEST_MS)
    await origin.requests[0]?.connection.gone()
    assert.equal(origin.requests[0]?.isComplete(), false)
  }
})

test('a body that makes progress may take longer than its limit', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await limited(t, origin.url, { client: { body: '1200ms', head: SHORT } })
  const client = await openClient(t, gateway.port)

  client.send(request('POST', '/', 'Content-Length: 10000'))
  let sent = 0
  const drip = setInterval(() => {
    if (++sent === 20) clearInterval(drip)
    client.send('x'.repeat(500))
  }, 90)
  t.after(() => clearInterval(drip))
  const response = await client.readResponse()

  assert.equal(response.status, 200)
})

// Slowloris: a byte now and then is no progress.
test('a body that drips is answered 408', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await limited(t, origin.url, { client: { body: SHORT } })
  const client = await openClient(t, gateway.port)

  client.send(request('POST', '/', 'Content-Length: 10000'))
  const drip = setInterval(() => client.send('x'), 50)
  t.after(() => clearInterval(drip))
  const response = await client.readResponse()
  clearInterval(drip)

  assert.equal(response.status, 408)
})

test('a server that does not respond is 504', async (t) => {
  const origin = await startOrigin(t, () => {})
  const gateway = await limited(t, origin.url, { server: { firstByte: SHORT } })
  const client = await openClient(t, gateway.port)
  const began = performance.now()

  const response = await client.ask(get('/'))

  assert.equal(response.status, 504)
  assert.match(value(response, 'proxy-status') ?? '', /^sluice; error=http_response_timeout/)
  assert.ok(performance.now() - began < LATEST_MS)
  await origin.connections[0]?.gone()
  assert.equal(origin.requests.length, 1, 'it may be at work: not asked again')
  assert.equal(gateway.records()[0]?.reason, 'FIRST_BYTE_TIMEOUT')
})

test('a server that answers only half a head is 504', async (t) => {
  const origin = await startOrigin(t, (_request, connection) => {
    connection.write('HTTP/1.1 200 OK\r\nContent-Le')
  })
  const gateway = await limited(t, origin.url, { server: { firstByte: SHORT, stall: SHORT } })
  const client = await openClient(t, gateway.port)

  assert.equal((await client.ask(get('/'))).status, 504)
  await origin.connections[0]?.gone()
})

test('the limit of the first byte begins when the request is sent whole', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await limited(t, origin.url, { server: { firstByte: SHORT } })
  const slow = await openClient(t, gateway.port)
  const clock = await openClient(t, gateway.port)
  slow.send(`${request('POST', '/slow', 'Content-Length: 10')}hello`)
  await origin.request(1)

  origin.follow((seen, connection) => {
    if (seen.target !== '/never') connection.write(OK)
  })
  await clock.ask(get('/never'))
  slow.send('world')

  assert.equal((await slow.readResponse()).status, 200)
})

test('a response that makes no progress is cut', async (t) => {
  const origin = await startOrigin(t, (request, connection) => {
    if (request.target === '/sentinel') return connection.write(OK)
    connection.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello')
  })
  const gateway = await limited(t, origin.url, { server: { stall: SHORT } })
  const client = await openClient(t, gateway.port)

  client.send(get('/'))
  const ending = await client.closed(LATEST_MS)

  assert.equal(ending, 'reset')
  assert.equal(client.partial()?.complete, false)
  await origin.requests[0]?.connection.gone()
  assert.equal(gateway.records()[0]?.reason, 'STALL_TIMEOUT')
  await sentinel(t, gateway)
})

test('an upload to a server that does not read is cut', async (t) => {
  const origin = await startOrigin(t, (_request, connection) => connection.stopReading())
  const gateway = await limited(t, origin.url, { server: { stall: SHORT } })
  const client = await openClient(t, gateway.port)

  client.send(request('POST', '/', 'Content-Length: 64000000'))
  await origin.request(1)
  client.send(Buffer.alloc(64_000_000))
  await client.closed(2 * LATEST_MS)
  await eventually(() => gateway.records()[0], 'the record')

  assert.equal(gateway.records()[0]?.reason, 'STALL_TIMEOUT')
})

test('a server whose accept queue is full is 504', async (t) => {
  const port = await startDeafServer(t)
  const gateway = await limited(t, `http://127.0.0.1:${port}`, { server: { connect: SHORT } })
  const client = await openClient(t, gateway.port)
  const began = performance.now()

  const response = await client.ask(get('/'))

  assert.equal(response.status, 504)
  assert.match(value(response, 'proxy-status') ?? '', /^sluice; error=connection_timeout/)
  assert.ok(performance.now() - began < 2 * LATEST_MS)
})

test('an idle connection to the server is closed after its time', async (t) => {
  const origin: Origin = await startOrigin(t)
  const gateway = await limited(t, origin.url, { server: { idle: SHORT } })

  await sentinel(t, gateway)

  await origin.connections[0]?.gone(LATEST_MS)
})

/** A process that listens with the smallest queue and never accepts; the queue is filled here. */
async function startDeafServer(t: TestContext): Promise<number> {
  const program = `
    const server = require('node:net').createServer()
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      require('node:fs').writeSync(1, String(server.address().port) + '\\n')
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000)
    })`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  const port = await new Promise<number>((resolve) => {
    child.stdout.once('data', (line: Buffer) => resolve(Number(line.toString())))
  })
  // A queue of 1 holds two; the others wait for their SYN to be answered, as the gateway will.
  const fillers = Array.from({ length: 4 }, () => connect(port, '127.0.0.1').on('error', () => {}))
  t.after(() => fillers.forEach((filler) => filler.destroy()))
  await eventually(
    () => fillers.filter((filler) => !filler.connecting).length >= 2,
    'the queue to fill',
  )
  return port
}
