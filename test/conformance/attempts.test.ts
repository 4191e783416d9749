// Issue 4, what attempts must not do to each other, to bodies, and to servers that are well. Each was once a fault.
import assert from 'node:assert/strict'
import { setTimeout as passed } from 'node:timers/promises'
import { test, type TestContext } from 'node:test'
import { COUNT, SHARED } from '../../src/scoreboard/layout.ts'
import { exchange, openClient } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { OK, startOrigin, type Origin, type Script } from '../support/origin.ts'
import { get, request } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

const hangs: Script = () => {}

interface Site {
  readonly gateway: TestGateway
  readonly origins: readonly Origin[]
}

interface Own {
  readonly backend?: object
  readonly frontend?: object
  readonly listener?: object
}

async function site(
  t: TestContext,
  scripts: readonly (Script | string)[],
  { backend = {}, frontend = {}, listener = {} }: Own,
): Promise<Site> {
  const origins = await Promise.all(scripts.map((script) => startOrigin(t, script)))
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0', ...listener } },
    backends: {
      b: { servers: Object.fromEntries(origins.map(({ url }, at) => [`s${at}`, url])), ...backend },
    },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b', ...frontend } },
  })
  return { gateway, origins }
}

function total({ scoreboard }: TestGateway, counter: number): number {
  let sum = 0
  for (let slot = 0; slot < 12; slot++) sum += scoreboard.sum(slot, counter)
  return sum
}

function sharedTotal({ scoreboard }: TestGateway, cell: number): number {
  let sum = 0
  for (let slot = 0; slot < 12; slot++) sum += scoreboard.shared(slot, cell)
  return sum
}

for (const framing of ['length', 'chunked'] as const) {
  test(`what comes of a body (${framing}) during a back-off is sent, too`, async (t) => {
    let resets = 0
    const script: Script = async (seen, connection) => {
      if (resets === 0) {
        await origins[0]?.until(() => seen.body().includes('AAAA'), 'the first piece')
        resets++
        connection.reset()
        return
      }
      await seen.whole()
      connection.write(OK)
    }
    const { gateway, origins } = await site(t, [script], {
      backend: { retry: { attempts: 3, backoff: '300ms', longestBackoff: '300ms' } },
    })
    const client = await openClient(t, gateway.port)
    const piece = (text: string): string => (framing === 'length' ? text : `4\r\n${text}\r\n`)
    const fields = framing === 'length' ? 'Content-Length: 12' : 'Transfer-Encoding: chunked'

    client.send(request('PUT', '/', fields) + piece('AAAA'))
    await eventually(() => resets === 1, 'the first attempt has failed')
    client.send(piece('BBBB'))
    await eventually(() => origins[0]?.requests.length === 2, 'the second attempt')
    client.send(piece('CCCC') + (framing === 'length' ? '' : '0\r\n\r\n'))
    const response = await client.readResponse('PUT')

    assert.equal(response.status, 200)
    assert.equal(origins[0]?.requests[1]?.body(), 'AAAABBBBCCCC')
  })
}

test('a response that the predicate refuses is gone, whatever its framing', async (t) => {
  const refused =
    'HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n3\r\nbad\r\n0\r\nX-T: 1\r\n\r\n'
  const { gateway } = await site(
    t,
    [
      (seen, connection) => {
        const isFirst = seen.target === '/one' && gateway.records().length === 0 && !seenOnce
        seenOnce ||= seen.target === '/one'
        connection.write(
          isFirst ? refused : `HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n${seen.target}`,
        )
      },
    ],
    { backend: { retry: { when: 'ResponseCode() == 503 && Attempts() < 3' } } },
  )
  let seenOnce = false
  const client = await openClient(t, gateway.port)

  client.send(get('/one') + get('/two'))
  const first = await client.readResponse()
  const second = await client.readResponse()

  assert.equal(first.body.toString(), '/one')
  assert.equal(second.body.toString(), '/two')
})

test('100 Continue comes from whichever server asks for the body', async (t) => {
  const asks: Script = async (seen, connection) => {
    connection.write('HTTP/1.1 100 Continue\r\n\r\n')
    await seen.whole()
    connection.write(OK)
  }
  const { gateway } = await site(t, [asks], { backend: { retry: { attempts: 2 } } })
  await gateway.apply({
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: {
      b: { servers: { dead: 'http://127.0.0.1:1', good: (await startOrigin(t, asks)).url } },
    },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })

  for (let i = 0; i < 2; i++) {
    const client = await openClient(t, gateway.ports['web'] ?? 0)
    client.send(request('POST', '/', 'Content-Length: 2', 'Expect: 100-continue'))
    const { status } = await client.message('POST')
    assert.equal(status, 100)
    client.send('hi')
    assert.equal((await client.readResponse('POST')).status, 200)
  }
})

test('a client that is slow with its body is no failure of the server, nor of its speed', async (t) => {
  const { gateway } = await site(t, [OK], {
    listener: { timeouts: { body: '900ms' } },
    backend: { balance: 'peak-ewma', timeouts: { stall: '200ms', try: '200ms' } },
  })
  const slow = await openClient(t, gateway.port)
  slow.send(request('PUT', '/', 'Content-Length: 1000') + 'abcd')
  const trickling = await openClient(t, gateway.port)
  trickling.send(request('PUT', '/', 'Content-Length: 600') + 'x'.repeat(300))
  await eventually(() => total(gateway, COUNT.opened) >= 4, 'both are under way')

  await passed(500)
  trickling.send('y'.repeat(300))
  const whole = await trickling.readResponse('PUT')
  const late = await slow.readResponse('PUT')

  assert.deepEqual([whole.status, late.status], [200, 408])
  await eventually(() => gateway.records().length === 2, 'both have ended')
  assert.equal(total(gateway, COUNT.failed), 0)
  const micros = sharedTotal(gateway, SHARED.ewma)
  assert.ok(micros > 0 && micros < 400_000, `${micros} us`)
})

test('a server that lets a whole request run out of its time has failed', async (t) => {
  const { gateway } = await site(t, [hangs], { backend: { timeouts: { request: '200ms' } } })

  const response = await exchange(t, gateway.port, get('/'))

  assert.equal(response.status, 504)
  assert.equal(total(gateway, COUNT.failed), 1)
})

test('an attempt that runs out of its time before it is connected is tried again, whatever the method', async (t) => {
  const silent = await startOrigin(t, hangs)
  const good = await startOrigin(t, OK)
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: {
      b: {
        timeouts: { try: '200ms' },
        servers: { silent: `https://127.0.0.1:${silent.port}`, good: good.url },
      },
    },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })

  for (let i = 0; i < 2; i++) {
    const response = await exchange(t, gateway.port, request('POST', '/', 'Content-Length: 0'))
    assert.equal(response.status, 200)
  }
  assert.equal(good.requests.length, 2)
})

test('the time of a whole request runs while it waits in a queue', async (t) => {
  const { gateway, origins } = await site(t, [hangs], {
    backend: { timeouts: { request: '400ms' }, retry: { attempts: 1 } },
    frontend: { inflight: { requests: 1, queue: 5, wait: '10s' } },
  })
  const first = await openClient(t, gateway.port)
  first.send(get('/first'))
  await origins[0]?.request(1)

  const queued = await exchange(t, gateway.port, get('/queued'))

  assert.equal(queued.status, 504)
  await eventually(() => gateway.records().length === 2, 'both have ended')
  assert.deepEqual(
    gateway.records().map(({ reason }) => reason),
    ['REQUEST_TIMEOUT', 'REQUEST_TIMEOUT'],
  )
})

test('a request that waited while its backend was removed is not sent to it', async (t) => {
  const old = await startOrigin(t, hangs)
  const config = (backends: object, backend: string): object => ({
    listeners: { web: { address: '127.0.0.1:0' } },
    backends,
    frontends: {
      f: {
        route: 'PathPrefix("/")',
        backend,
        inflight: { requests: 1, queue: 5, wait: '10s' },
      },
    },
  })
  const gateway = await startGateway(t, config({ old: { servers: { one: old.url } } }, 'old'))
  const first = await openClient(t, gateway.port)
  first.send(get('/first'))
  const seen = await old.request(1)
  const second = await openClient(t, gateway.port)
  second.send(get('/second'))
  // Two clients, a server connection, and one that waits: the same cell.
  await eventually(() => sharedTotal(gateway, SHARED.waiting) === 4, 'the second one waits')
  const fresh = await startOrigin(t, OK)
  await gateway.apply(config({ fresh: { servers: { one: fresh.url } } }, 'fresh'))

  seen.connection.write(OK)
  const response = await second.readResponse()

  assert.equal(response.status, 503)
  assert.equal(old.requests.length, 1)
})

test('a tunnel without traffic is closed after its time', async (t) => {
  const upgrades: Script = (_seen, connection) => {
    connection.tunnel()
    connection.write('HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
  }
  const { gateway, origins } = await site(t, [upgrades], {
    backend: { timeouts: { tunnel: '300ms' }, sticky: {} },
  })
  const client = await openClient(t, gateway.port)
  client.send(request('GET', '/', 'Connection: Upgrade', 'Upgrade: echo'))

  const response = await client.readResponse()
  await client.closed()

  assert.equal(response.status, 101)
  assert.match(value(response, 'set-cookie') ?? '', /^sluice=/, 'a tunnel binds a client as well')
  await origins[0]?.connections[0]?.gone()
  await eventually(() => gateway.records().length === 1, 'the exchange has ended')
})

test('a client that is bound to a server is not taken away by a hedge', async (t) => {
  const slow: Script = (_seen, connection) => {
    setTimeout(() => connection.write(OK), 150)
  }
  const { gateway, origins } = await site(t, [slow, slow], {
    backend: { sticky: {}, retry: { attempts: 2, hedge: { after: '20ms' } } },
  })

  await exchange(t, gateway.port, get('/'))

  assert.equal(
    origins.reduce((sum, { requests }) => sum + requests.length, 0),
    1,
  )
})

test('a whole request that runs out of time is no failure of a server that had little of it', async (t) => {
  const slow: Script = async (seen, connection) => {
    await seen.whole()
    setTimeout(() => connection.write(OK), 400)
  }
  const { gateway } = await site(t, [slow], { backend: { timeouts: { request: '500ms' } } })
  const client = await openClient(t, gateway.port)
  client.send(request('POST', '/', 'Content-Length: 20') + '0123456789')
  await passed(450)
  client.send('0123456789')

  const response = await client.readResponse('POST')

  assert.equal(response.status, 504)
  assert.equal(gateway.records()[0]?.reason, 'REQUEST_TIMEOUT')
  assert.equal(total(gateway, COUNT.failed), 0)
})

test('a server that never says 100 is left for another one', async (t) => {
  const asks: Script = async (seen, connection) => {
    connection.write('HTTP/1.1 100 Continue\r\n\r\n')
    await seen.whole()
    connection.write(OK)
  }
  const { gateway } = await site(t, [hangs, asks], {
    backend: { timeouts: { try: '200ms' }, retry: { attempts: 3 } },
  })

  for (let i = 0; i < 2; i++) {
    const client = await openClient(t, gateway.port)
    client.send(request('PUT', '/', 'Content-Length: 2', 'Expect: 100-continue'))
    assert.equal((await client.message('PUT')).status, 100)
    client.send('hi')
    assert.equal((await client.readResponse('PUT')).status, 200)
  }
  assert.equal(total(gateway, COUNT.failed), 1)
})

test('a server that answers while the client is slow with its body has not stalled', async (t) => {
  const respondsAtOnce: Script = async (seen, connection) => {
    connection.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n')
    await seen.whole()
    connection.write('ok')
  }
  const { gateway } = await site(t, [respondsAtOnce], { backend: { timeouts: { stall: '200ms' } } })
  const client = await openClient(t, gateway.port)
  client.send(request('PUT', '/', 'Content-Length: 2') + 'h')
  await client.bytes(30)
  await passed(500)

  client.send('i')
  const response = await client.readResponse('PUT')

  assert.equal(response.status, 200)
  assert.equal(total(gateway, COUNT.failed), 0)
})

test('a server that takes no body has the time of an attempt, too', async (t) => {
  const deaf: Script = (_seen, connection) => connection.stopReading()
  const { gateway } = await site(t, [deaf], {
    backend: { timeouts: { try: '300ms', stall: '20s' }, retry: { attempts: 1 } },
  })
  const client = await openClient(t, gateway.port)
  client.send(request('PUT', '/', `Content-Length: ${50 << 20}`))
  client.send(Buffer.alloc(20 << 20))

  const response = await client.readResponse('PUT')

  assert.equal(response.status, 504)
  assert.equal(gateway.records()[0]?.reason, 'TRY_TIMEOUT')
})
