/**
 * Attacks that hold what a server has instead of flooding it: with short limits of time each ends, is named in the log with its address and
 * port, leaves nothing behind, and a neighbour does not notice it. The limits themselves are tested by the clock in
 * test/unit/http2-time-limits.test.ts, that of SETTINGS too.
 */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type Http2Client, openHttp2Client } from '../support/http2/client.ts'
import {
  LARGE_PATH,
  SILENCES,
  SLOW_BODIES,
  type SlowAttack,
  WINDOW_GAMES,
} from '../support/http2/slow-attacks.ts'
import { startOrigin } from '../support/origin.ts'
import { eventually } from '../support/until.ts'

const TIMEOUTS = { head: '300ms', body: '500ms' }
const LARGE = 'x'.repeat(1024 * 1024)

for (const attack of [...WINDOW_GAMES, ...SILENCES, ...SLOW_BODIES]) {
  test(`${attack.name}: the connection ends, its neighbour stays`, async (t) => {
    const gateway = await startAttacked(t)
    const neighbour = await openHttp2Client(t, gateway.port)
    assert.equal((await neighbour.ask({ path: '/small' })).status, 200)
    const quiet = underWay(gateway)
    const attacker = await openHttp2Client(t, gateway.port, attack.options)

    const notice = await attackUntilNamed(gateway, attacker, attack)

    assert.match(notice, namedAs(attacker.port, attack.ends))
    assert.equal((await neighbour.ask({ path: '/small' })).status, 200)
    await eventually(() => underWay(gateway) === quiet, 'nothing more is under way')
    attacker.startReading()
    await attacker.closed()
  })
}

async function startAttacked(t: TestContext): Promise<TestGateway> {
  const origin = await startOrigin(t, async (request, connection) => {
    if (request.target === LARGE_PATH)
      return connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${LARGE.length}\r\n\r\n${LARGE}`)
    await request.whole()
    connection.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  })
  return startGateway(t, {
    origin: origin.port,
    listener: { protocol: 'h2c', timeouts: TIMEOUTS },
  })
}

async function attackUntilNamed(
  gateway: TestGateway,
  attacker: Http2Client,
  { start, everyMs, isDeaf }: SlowAttack,
): Promise<string> {
  // Otherwise the acknowledgement of SETTINGS could fall into a frame.
  await attacker.roundTrip()
  const run = start(attacker)
  attacker.send(...run.first)
  if (isDeaf) attacker.stopReading()
  return eventually(() => {
    if (everyMs > 0) attacker.send(...run.next())
    return gateway.notices()[0]
  }, 'a notice')
}

function namedAs(port: number, ends: string): RegExp {
  return new RegExp(
    `^listener "web": an HTTP/2 connection of 127\\.0\\.0\\.1:${port} was (closed|cut off for misuse of HTTP/2): ${ends}$`,
  )
}

function underWay({ scoreboard }: TestGateway): number {
  let sum = 0
  for (let slot = 0; slot < 16; slot++) sum += scoreboard.underWay(slot)
  return sum
}
