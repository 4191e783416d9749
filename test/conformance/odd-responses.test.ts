// Answers that are odd and read all the same (RFC 9112 7.1.1, RFC 9110 15), and whose fault it is when one is refused.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { COUNT, SHARED } from '../../src/scoreboard/layout.ts'
import { exchange } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { respondWith, OK, startOrigin, type Script } from '../support/origin.ts'
import { assertBodyRefused, get, request } from '../support/refusal.ts'

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
const SLOTS = [0, 1, 2, 3, 4, 5, 6, 7]

function sum(gateway: TestGateway, counter: number): number {
  return SLOTS.reduce((all, slot) => all + gateway.scoreboard.sum(slot, counter), 0)
}

test('blanks behind a chunk size are read', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const blanks of [' ', '  ', '\t', ' \t ', ' '.repeat(200)]) {
    for (const rest of ['', ';ext', ' ; ext=1']) {
      origin.follow(
        respondWith(
          `${CHUNKED}5${blanks}${rest}\r\nhello\r\n6${blanks}\r\n world\r\n0${blanks}\r\n\r\n`,
        ),
      )
      const response = await exchange(t, gateway.port, get('/'))
      assert.equal(response.body.toString(), 'hello world', JSON.stringify(blanks + rest))
    }
  }
})

test('blanks elsewhere in a chunk, or without bound, are refused', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const chunks of [
    ' 5\r\nhello\r\n0\r\n\r\n',
    '5 5\r\nhello\r\n0\r\n\r\n',
    '5 \nhello\r\n0\r\n\r\n',
    '5 \r hello\r\n0\r\n\r\n',
    '5\x0b\r\nhello\r\n0\r\n\r\n',
    '5 x\r\nhello\r\n0\r\n\r\n',
    `5${' '.repeat(300)}\r\nhello\r\n0\r\n\r\n`,
    ' \r\n',
  ]) {
    origin.follow(respondWith(CHUNKED + chunks))
    const response = await exchange(t, gateway.port, get('/'))
    assert.equal(response.status, 502, JSON.stringify(chunks))
  }
})

test('blanks behind a chunk size of a request are refused', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const size of ['5 ', '5\t', '5 ;x']) {
    const head = request('POST', '/', 'Transfer-Encoding: chunked')
    await assertBodyRefused(t, gateway, origin, `${head}${size}\r\nhello\r\n0\r\n\r\n`)
  }
})

test('a status from 600 to 999 is passed on, and counted with 5xx', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const status of [600, 701, 999]) {
    origin.follow(respondWith(`HTTP/1.1 ${status} Odd\r\nContent-Length: 2\r\n\r\nok`))
    const response = await exchange(t, gateway.port, get('/'))
    assert.equal(response.status, status)
    assert.equal(response.body.toString(), 'ok')
  }

  // In the slots of the route and of the server.
  assert.equal(sum(gateway, COUNT.status + 5), 6)
  assert.equal(sum(gateway, COUNT.bytesIn), 0)
  assert.equal(sum(gateway, COUNT.bytesOut), 12)
})

const ODD: readonly (readonly [name: string, bytes: string])[] = [
  ['a malformed field', 'HTTP/1.1 200 OK\r\nX-A : b\r\nContent-Length: 0\r\n\r\n'],
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx'],
  ['a malformed chunk', `${CHUNKED}zz\r\n`],
  ['a malformed chunk later on', `${CHUNKED}5\r\nhello\r\n`],
  ['a head that is too large', `HTTP/1.1 200 OK\r\nX-Big: ${'v'.repeat(40_000)}\r\n\r\n`],
  ['too many fields', `HTTP/1.1 200 OK\r\n${'X-A: b\r\n'.repeat(101)}\r\n`],
  ['a status line that is malformed', 'HTTP/1.1 20 OK\r\n\r\n'],
  ['a switch that was not asked for', 'HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n'],
]

/** No evidence against the server: no streak, no failure counted. */
/** No row of failures; the success rate, which compares servers, has counted the odd ones. */
function assertWell(gateway: TestGateway, odd: number): void {
  for (const cell of [
    SHARED.failureStreak,
    SHARED.longestFailureStreak,
    SHARED.errorStreak,
    SHARED.longestErrorStreak,
  ])
    assert.ok(SLOTS.every((slot) => gateway.scoreboard.shared(slot, cell) === 0))
  assert.equal(sum(gateway, COUNT.failed), odd)
}

async function askTenTimes(t: TestContext, gateway: TestGateway): Promise<void> {
  for (let i = 0; i < 10; i++) {
    const client = exchange(t, gateway.port, request('POST', '/odd', 'Content-Length: 0'))
    // One that is cut within its body is reset.
    const status = await client.then(
      (response) => response.status,
      () => 502,
    )
    assert.equal(status, 502)
  }
}

test('one odd path makes no row of failures of a server whose other responses are well', async (t) => {
  for (const [name, bytes] of ODD) {
    await t.test(name, async (t) => {
      const odd: Script = async (seen, connection) => {
        if (seen.target !== '/odd') return connection.write(OK)
        connection.write(bytes)
        if (!name.endsWith('later on')) return
        await new Promise((resolve) => setImmediate(resolve))
        connection.write('zz\r\n')
      }
      const origin = await startOrigin(t, odd)
      const gateway = await startGateway(t, { origin: origin.port })

      await askTenTimes(t, gateway)
      assertWell(gateway, 10)
      assert.equal((await exchange(t, gateway.port, get('/'))).status, 200)
      await askTenTimes(t, gateway)

      assertWell(gateway, 20)
      assert.equal((await exchange(t, gateway.port, get('/'))).status, 200)
      assert.ok(gateway.records().some(({ reason }) => reason !== null))
    })
  }
})

test('garbage from a server that has never answered in HTTP is a failure of the server', async (t) => {
  const origin = await startOrigin(t, respondWith('220 mail.test ESMTP\r\n\r\n'))
  const gateway = await startGateway(t, { origin: origin.port })

  await askTenTimes(t, gateway)

  assert.ok(SLOTS.some((slot) => gateway.scoreboard.shared(slot, SHARED.failureStreak) === 10))
  assert.equal(sum(gateway, COUNT.failed), 10)
})

test("limits of a response's head can be set", async (t) => {
  const wide = `HTTP/1.1 200 OK\r\n${'X-A: b\r\n'.repeat(500)}Content-Length: 2\r\n\r\nok`
  const large = `HTTP/1.1 200 OK\r\nX-Big: ${'v'.repeat(200_000)}\r\nContent-Length: 2\r\n\r\nok`
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    origin: origin.port,
    backend: { limits: { head: '256KiB', fields: 501 } },
  })

  for (const bytes of [wide, large]) {
    origin.follow(respondWith(bytes))
    const response = await exchange(t, gateway.port, get('/'))
    assert.equal(response.body.toString(), 'ok')
  }
  assert.equal(value(await exchange(t, gateway.port, get('/')), 'x-big')?.length, 200_000)

  await gateway.apply({
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { origin: { servers: { one: origin.url }, limits: { head: '1KiB', fields: 2 } } },
    frontends: { all: { route: 'PathPrefix("/")', backend: 'origin' } },
  })
  for (const [bytes, told] of [
    [`HTTP/1.1 200 OK\r\nX-A: ${'v'.repeat(1_100)}\r\n\r\n`, /1024 bytes \(limits\.head/],
    ['HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\nContent-Length: 0\r\n\r\n', /2 fields \(limits\.fields/],
  ] as const) {
    origin.follow(respondWith(bytes))
    const response = await exchange(t, gateway.port, get('/'))
    assert.equal(response.status, 502)
    assert.equal(gateway.records().at(-1)?.reason, 'ANSWER_TOO_LARGE')
    assert.match(gateway.records().at(-1)?.detail ?? '', told)
  }
})
