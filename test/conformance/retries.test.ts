// Issue 4, retries: attempts, predicate, budget, back-off, replay of bodies, limits of time, hedging. Servers are scripted.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { COUNT, SHARED } from '../../src/scoreboard/layout.ts'
import { exchange, openClient } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { OK, startOrigin, type Origin, type Script } from '../support/origin.ts'
import { get, request } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

const BUSY = 'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy'
/** Says nothing. */
const hangs: Script = () => {}
const resets: Script = (_request, connection) => connection.reset()

interface Site {
  readonly gateway: TestGateway
  readonly origins: readonly Origin[]
  asked(): number[]
}

/** Tests have no second of traffic behind them that would have earned retries. */
function withBudget(retry: { readonly attempts?: number } = {}): object {
  return retry.attempts === 1 ? retry : { budget: { perSecond: 1000 }, ...retry }
}

async function site(
  t: TestContext,
  scripts: readonly (Script | string)[],
  own: object,
): Promise<Site> {
  const origins = await Promise.all(scripts.map((script) => startOrigin(t, script)))
  const { frontend = {}, ...backend } = own as { frontend?: object }
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: {
      b: {
        servers: Object.fromEntries(origins.map(({ url }, at) => [`s${at}`, url])),
        ...backend,
        retry: withBudget((backend as { retry?: object }).retry),
      },
    },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b', ...frontend } },
  })
  return { gateway, origins, asked: () => origins.map(({ requests }) => requests.length) }
}

test('a request is tried on as many servers as the route allows, and no more', async (t) => {
  for (const [attempts, expected] of [
    [1, 1],
    [2, 2],
    [3, 3],
    [8, 4],
  ] as const) {
    const { gateway, asked } = await site(t, [resets, resets, resets, resets], {
      retry: { attempts },
    })

    const response = await exchange(t, gateway.port, get('/'))

    assert.equal(response.status, 502)
    assert.equal(
      asked().reduce((sum, count) => sum + count, 0),
      expected,
      `${attempts} attempts`,
    )
    assert.ok(
      asked().every((count) => count <= 1),
      'another server each time',
    )
    assert.equal(gateway.records().at(-1)?.attempts, expected)
  }
})

test('further attempts take no turns away from first ones', async (t) => {
  const { gateway, asked } = await site(t, [resets, OK], { retry: { attempts: 2 } })
  const client = await openClient(t, gateway.port)

  for (let i = 0; i < 12; i++) {
    const response = await client.ask(get('/'))
    assert.equal(response.status, 200)
  }

  assert.deepEqual(asked(), [6, 12])
})

test('a request that is not idempotent is sent once when a server may have begun with it', async (t) => {
  const { gateway, asked } = await site(t, [resets, resets], { retry: { attempts: 3 } })

  const response = await exchange(t, gateway.port, request('POST', '/', 'Content-Length: 0'))

  assert.equal(response.status, 502)
  assert.equal(asked()[0] === 1 ? asked()[1] : asked()[0], 0)
})

test('a predicate decides on responses, too, and on any method', async (t) => {
  const { gateway, asked } = await site(t, [BUSY, BUSY, BUSY], {
    retry: { attempts: 11, when: 'ResponseCode() == 503 && Attempts() < 3' },
  })

  const response = await exchange(t, gateway.port, request('POST', '/', 'Content-Length: 0'))

  assert.equal(response.status, 503)
  assert.equal(response.body.toString(), 'busy')
  assert.deepEqual(asked(), [1, 1, 1])
})

test('a predicate that does not hold keeps a failure from being repeated', async (t) => {
  const { gateway, asked } = await site(t, [resets, resets], {
    retry: { attempts: 11, when: 'ResponseCode() == 503' },
  })

  const response = await exchange(t, gateway.port, get('/'))

  assert.equal(response.status, 502)
  assert.equal(
    asked().reduce((sum, count) => sum + count, 0),
    1,
  )
})

test('a predicate asks the only server again, eleven times at most', async (t) => {
  const { gateway, asked } = await site(t, [BUSY], {
    retry: { attempts: 11, when: 'IsNetworkError() || ResponseCode() == 503' },
  })

  const response = await exchange(t, gateway.port, get('/'))

  assert.equal(response.status, 503)
  assert.deepEqual(asked(), [11])
})

test("a frontend's own retry goes before its backend's", async (t) => {
  const { gateway, asked } = await site(t, [resets, resets, resets], {
    retry: { attempts: 3 },
    frontend: { retry: { attempts: 1 } },
  })

  await exchange(t, gateway.port, get('/'))

  assert.equal(
    asked().reduce((sum, count) => sum + count, 0),
    1,
  )
})

test('what the budget refuses is not sent again, and counted', async (t) => {
  const { gateway, asked } = await site(t, [resets, resets], {
    retry: { attempts: 2, budget: { ratio: 0, perSecond: 1 } },
  })

  for (let i = 0; i < 8; i++) {
    const response = await exchange(t, gateway.port, get('/'))
    assert.equal(response.status, 502)
  }

  assert.equal(total(gateway, COUNT.retriesRefused), 3)
  assert.equal(
    asked().reduce((sum, count) => sum + count, 0),
    13,
  )
})

test('with all servers failing the budget holds attempts to its share of the requests', async (t) => {
  const { gateway, asked } = await site(t, [resets, resets], {
    retry: { attempts: 3, budget: { ratio: '20%', perSecond: 1 } },
  })
  const client = await openClient(t, gateway.port)

  for (let i = 0; i < 200; i++) await client.ask(get('/'))

  const attempts = asked().reduce((sum, count) => sum + count, 0)
  assert.ok(attempts >= 200 && attempts <= 200 * 1.2 + 6, `${attempts} attempts for 200 requests`)
})

for (const framing of ['length', 'chunked'] as const) {
  test(`a body that has flowed (${framing}) is sent again whole to the next server`, async (t) => {
    const body = 'x'.repeat(40_000)
    // Takes the body first.
    const takesAndResets: Script = async (seen, connection) => {
      await seen.whole()
      connection.reset()
    }
    const { gateway, origins } = await site(t, [takesAndResets, takesAndResets, OK], {
      retry: { attempts: 3, buffer: '64KiB' },
    })
    const client = await openClient(t, gateway.port)
    for (let i = 0; i < 3; i++) {
      const head =
        framing === 'length'
          ? request('PUT', '/', `Content-Length: ${body.length}`)
          : request('PUT', '/', 'Transfer-Encoding: chunked')
      const text =
        framing === 'length' ? body : `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
      await client.sendPieces([head, text.slice(0, 15_000), text.slice(15_000)])

      const response = await client.readResponse('PUT')

      assert.equal(response.status, 200)
    }
    for (const origin of origins)
      for (const seen of origin.requests) assert.equal(seen.body(), body)
    assert.equal(origins[2]?.requests.length, 3)
  })
}

test('a body above the buffer is streamed and its request not sent again', async (t) => {
  const body = 'x'.repeat(40_000)
  const takesAndResets: Script = async (seen, connection) => {
    await seen.whole()
    connection.reset()
  }
  const { gateway, asked } = await site(t, [takesAndResets, takesAndResets], {
    retry: { attempts: 3, buffer: '16KiB' },
  })
  for (const head of [
    request('PUT', '/', `Content-Length: ${body.length}`) + body,
    `${request('PUT', '/', 'Transfer-Encoding: chunked')}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
  ]) {
    const before = asked().reduce((sum, count) => sum + count, 0)

    const response = await exchange(t, gateway.port, head)

    assert.equal(response.status, 502)
    assert.equal(
      asked().reduce((sum, count) => sum + count, 0),
      before + 1,
    )
  }
})

test('nothing is sent again once a byte of a response has reached the client', async (t) => {
  const cuts: Script = (_request, connection) => {
    connection.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
    setImmediate(() => connection.reset())
  }
  const { gateway, asked } = await site(t, [cuts, cuts], {
    retry: { attempts: 11, when: 'IsNetworkError()' },
  })
  const client = await openClient(t, gateway.port)

  client.send(get('/'))
  await client.closed()

  assert.equal(
    asked().reduce((sum, count) => sum + count, 0),
    1,
  )
})

test('responses that are cut after their heads make a row of failures', async (t) => {
  const cuts: Script = (_request, connection) => {
    connection.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
    setImmediate(() => connection.reset())
  }
  const { gateway } = await site(t, [cuts], { retry: { attempts: 1 } })

  for (let i = 0; i < 3; i++) {
    const client = await openClient(t, gateway.port)
    client.send(get('/'))
    await client.closed()
  }
  await eventually(() => gateway.records().length === 3, 'all have ended')

  assert.equal(total(gateway, COUNT.failed), 3)
  assert.equal(total(gateway, COUNT.responses), 0)
  assert.equal(
    sumSlots((slot) => gateway.scoreboard.shared(slot, SHARED.longestFailureStreak)),
    3,
  )
})

test('an attempt that takes too long is given up for another server', async (t) => {
  const { gateway, asked } = await site(t, [hangs, OK], {
    retry: { attempts: 2 },
    timeouts: { try: '200ms' },
  })
  for (let i = 0; i < 2; i++) {
    const response = await exchange(t, gateway.port, get('/'))

    assert.equal(response.status, 200)
  }
  assert.equal(asked()[1], 2)
})

test('without another attempt an attempt that takes too long is a 504 with its reason', async (t) => {
  const { gateway, origins } = await site(t, [hangs], {
    frontend: { timeouts: { try: '200ms' } },
  })

  const response = await exchange(t, gateway.port, get('/'))

  assert.equal(response.status, 504)
  assert.equal(gateway.records().at(-1)?.reason, 'TRY_TIMEOUT')
  await origins[0]?.connections[0]?.gone()
})

test('a whole request that takes too long is a 504, or is cut when its response has begun', async (t) => {
  const drips: Script = (seen, connection) => {
    if (seen.target === '/hangs') return
    connection.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
  }
  const { gateway } = await site(t, [drips], { timeouts: { request: '300ms' } })

  const hung = await exchange(t, gateway.port, get('/hangs'))
  const client = await openClient(t, gateway.port)
  client.send(get('/drips'))
  await client.closed()

  assert.equal(hung.status, 504)
  assert.equal(client.partial()?.body.toString(), 'half')
  await eventually(() => gateway.records().length === 2, 'both have ended')
  assert.deepEqual(
    gateway.records().map(({ reason }) => reason),
    ['REQUEST_TIMEOUT', 'REQUEST_TIMEOUT'],
  )
})

test('a back-off lies between attempts', async (t) => {
  const times: number[] = []
  const notes: Script = (_request, connection) => {
    times.push(performance.now())
    connection.reset()
  }
  const { gateway } = await site(t, [notes], {
    retry: { attempts: 3, backoff: '80ms', longestBackoff: '1s' },
  })

  await exchange(t, gateway.port, get('/'))

  const [first = 0, second = 0, third = 0] = times
  assert.equal(times.length, 3)
  // By chance half of it, or all; timers may be a little early.
  assert.ok(second - first >= 38, `${second - first} ms`)
  assert.ok(third - second >= 78, `${third - second} ms`)
})

test('a client that leaves during a back-off ends the attempts', async (t) => {
  const { gateway, asked } = await site(t, [resets], {
    retry: { attempts: 5, backoff: '5s', longestBackoff: '5s' },
  })
  const client = await openClient(t, gateway.port)
  client.send(get('/'))
  await eventually(() => asked()[0] === 1, 'the first attempt')

  client.reset()

  await eventually(() => gateway.records().length === 1, 'the exchange has ended')
  assert.equal(gateway.records()[0]?.status, 0)
  assert.equal(inFlight(gateway), 0)
})

test('a second copy of a slow request goes to another server, and the first response wins', async (t) => {
  const { gateway, origins, asked } = await site(t, [hangs, OK], {
    retry: { attempts: 2, hedge: { after: '60ms' } },
  })

  for (let i = 0; i < 2; i++) {
    const response = await exchange(t, gateway.port, get('/'))
    assert.equal(response.status, 200)
  }

  assert.equal(asked()[1], 2)
  await origins[0]?.connections[0]?.gone()
  await eventually(() => inFlight(gateway) === 0, 'nothing is under way')
  assert.equal(gateway.records().length, 2)
})

test('only requests that may be sent twice are hedged', async (t) => {
  const slow: Script = (_request, connection) => {
    setTimeout(() => connection.write(OK), 200)
  }
  const { gateway, asked } = await site(t, [slow, slow], {
    retry: { attempts: 2, hedge: { after: '20ms' } },
  })

  await exchange(t, gateway.port, request('POST', '/', 'Content-Length: 0'))

  assert.equal(
    asked().reduce((sum, count) => sum + count, 0),
    1,
  )
})

test('a hedge whose first copy fails goes on with the second', async (t) => {
  const failsLate: Script = (_request, connection) => {
    setTimeout(() => connection.reset(), 150)
  }
  const late: Script = (_request, connection) => {
    setTimeout(() => connection.write(OK), 400)
  }
  const { gateway } = await site(t, [failsLate, late], {
    balance: 'round-robin',
    retry: { attempts: 2, hedge: { after: '30ms' } },
  })

  const response = await exchange(t, gateway.port, get('/'))

  assert.equal(response.status, 200)
  assert.equal(gateway.records()[0]?.attempts, 2)
})

test('a TLS handshake that never ends has a limit of its own', async (t) => {
  const { gateway, origins } = await site(t, [hangs], { timeouts: { handshake: '200ms' } })
  const [origin] = origins
  await gateway.apply({
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: {
      b: { servers: { s: `https://127.0.0.1:${origin?.port}` }, timeouts: { handshake: '200ms' } },
    },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })

  const response = await exchange(t, gateway.ports['web'] ?? 0, get('/'))

  assert.equal(response.status, 504)
  assert.equal(gateway.records().at(-1)?.reason, 'CONNECT_TIMEOUT')
  assert.match(gateway.records().at(-1)?.detail ?? '', /no TLS handshake within 200 ms/)
})

function total({ scoreboard }: TestGateway, counter: number): number {
  return sumSlots((slot) => scoreboard.sum(slot, counter))
}

function inFlight({ scoreboard }: TestGateway): number {
  return sumSlots((slot) => scoreboard.underWay(slot))
}

function sumSlots(read: (slot: number) => number): number {
  return Array.from({ length: 10 }, (_, slot) => read(slot)).reduce((sum, count) => sum + count, 0)
}
