/**
 * facts/edge.md 1.4: each attack ends its own connection within a number of frames, is named in the log, leaves nothing
 * behind, and a neighbour does not notice it.
 */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { BLOCKS, FLOODS } from '../support/http2/attacks.ts'
import { openHttp2Client, type Http2Client } from '../support/http2/client.ts'
import { pingFrame, priorityFrame, resetFrame, SETTING } from '../support/http2/frames.ts'
import { startOrigin, type Origin } from '../support/origin.ts'
import { eventually, turn } from '../support/until.ts'

/** Units in one write, with a request behind them that shows that they were read. */
const BATCH = 25

interface World {
  readonly origin: Origin
  readonly gateway: TestGateway
  readonly neighbour: Http2Client
  /** What the neighbour alone is counted as. */
  readonly quiet: number
}

async function startWorld(t: TestContext): Promise<World> {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    origin: origin.port,
    listener: { protocol: 'h2c' },
  })
  const neighbour = await openHttp2Client(t, gateway.port)
  assert.equal((await neighbour.ask()).status, 200)
  return { origin, gateway, neighbour, quiet: underWay(gateway) }
}

for (const attack of FLOODS) {
  test(`${attack.name}: the connection ends, its neighbour stays`, async (t) => {
    const world = await startWorld(t)
    const attacker = await openHttp2Client(t, world.gateway.port, attack.options)
    const run = attack.start(attacker)
    attacker.send(...run.first)

    // The budget fills up again with time, faster than a busy machine sends.
    const [from, clock] = [performance.now(), performance.now.bind(performance)]
    const slowed = t.mock.method(performance, 'now', () => from + (clock() - from) / 50)
    let sent = 0
    while (sent < attack.most && attacker.ending() === null) {
      const units = Array.from({ length: BATCH }, () => run.next()).flat()
      attacker.send(...units)
      sent += BATCH
      // A response without DATA ends with any window.
      const barrier = attacker.request({ method: 'HEAD' })
      await Promise.race([attacker.outcome(barrier), attacker.closed()])
      await assertServed(world)
      attacker.forget()
    }
    slowed.mock.restore()

    await assertCut(world, attacker, 'enhanceYourCalm')
  })
}

for (const attack of BLOCKS) {
  test(`${attack.name}: the connection ends, its neighbour stays`, async (t) => {
    const world = await startWorld(t)
    const attacker = await openHttp2Client(t, world.gateway.port)
    const run = attack.start(attacker)
    attacker.send(...run.first)

    // No request fits into a block, so the units go in one write, and the rest of them into a closed connection.
    attacker.send(...Array.from({ length: attack.most }, () => run.next()).flat())

    await assertCut(world, attacker, 'enhanceYourCalm')
  })
}

test('misuse is named also right after a protocol error', async (t) => {
  const { gateway } = await startWorld(t)
  const wrong = await openHttp2Client(t, gateway.port)
  wrong.send(priorityFrame(0, { dependsOn: 3 }))
  assert.equal(await wrong.connectionOutcome(), 'goaway protocol')
  const attacker = await openHttp2Client(t, gateway.port)

  attacker.send(...Array.from({ length: 600 }, () => priorityFrame(1, { dependsOn: 3 })))

  assert.equal(await attacker.connectionOutcome(), 'goaway enhanceYourCalm')
  assert.deepEqual(gateway.notices(), [
    `listener "web": an HTTP/2 connection of 127.0.0.1:${wrong.port} was closed: PRIORITY on stream 0`,
    `listener "web": an HTTP/2 connection of 127.0.0.1:${attacker.port} was cut off for misuse of HTTP/2: PRIORITY frames`,
  ])
})

test('a client that comes back after each cut opens ten connections to a server each time, not a hundred', async (t) => {
  const origin = await startOrigin(t, () => {})
  const gateway = await startGateway(t, { origin: origin.port, listener: { protocol: 'h2c' } })
  const attack = FLOODS.find(({ name }) => name.includes('under way'))
  assert.ok(attack)
  const counts: number[] = []

  for (let round = 0; round < 6; round++) {
    const client = await openHttp2Client(t, gateway.port)
    await client.roundTrip()
    const before = origin.connections.length
    const run = attack.start(client)
    for (let sent = 0; sent < attack.most && client.ending() === null; sent += BATCH) {
      client.send(...Array.from({ length: BATCH }, () => run.next()).flat())
      await turn()
    }
    assert.equal(await client.connectionOutcome(), 'goaway enhanceYourCalm')
    counts.push(origin.connections.length - before)
  }

  assert.ok(
    counts.slice(1).every((count) => count <= 10),
    counts.join(),
  )
})

test('an address whose connection was cut off gets less on the next ones, and is served', async (t) => {
  const { gateway, neighbour } = await startWorld(t)
  const flood = Array.from({ length: 600 }, () => pingFrame())
  const first = await openHttp2Client(t, gateway.port, { answersPings: false })
  first.send(...flood)
  assert.equal(await first.connectionOutcome(), 'goaway enhanceYourCalm')

  const next = await openHttp2Client(t, gateway.port)
  assert.equal((await next.ask()).status, 200)
  assert.equal(next.settings.get(SETTING.maxConcurrentStreams), 10)
  next.send(...flood.slice(0, 100))

  assert.equal(await next.connectionOutcome(), 'goaway enhanceYourCalm')
  assert.equal(neighbour.settings.get(SETTING.maxConcurrentStreams), 100)
  assert.equal((await neighbour.ask()).status, 200)
})

test('a trusted proxy, which shares its connection among many users, may reset more', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    origin: origin.port,
    listener: { protocol: 'h2c' },
    trusted: ['127.0.0.1'],
  })
  const proxy = await openHttp2Client(t, gateway.port)
  for (let sent = 0; sent < 2_000 && proxy.ending() === null; sent += BATCH) {
    for (let at = 0; at < BATCH; at++) proxy.send(resetFrame(proxy.request()))
    const barrier = proxy.request({ method: 'HEAD' })
    await Promise.race([proxy.outcome(barrier), proxy.closed()])
    proxy.forget()
  }
  assert.deepEqual([proxy.ending(), gateway.notices()], [null, []])
  assert.equal((await proxy.ask()).status, 200)

  proxy.send(...Array.from({ length: 20_000 }, () => priorityFrame(1, { dependsOn: 3 })))
  assert.equal(await proxy.connectionOutcome(), 'goaway enhanceYourCalm')
})

for (const { protocol, dials } of [
  { protocol: 'http/1.1', dials: null },
  { protocol: 'h2', dials: 1 },
]) {
  test(`requests that are reset while their server of ${protocol} is dialed leave no dial of their own behind`, async (t) => {
    const server = await startOrigin(t)
    const gateway = await startGateway(t, {
      origin: server.port,
      listener: { protocol: 'h2c' },
      // It never answers the handshake.
      backend: {
        servers: { s: `https://127.0.0.1:${server.port}` },
        protocol,
        tls: { verify: false },
      },
    })
    const client = await openHttp2Client(t, gateway.port)
    const quiet = underWay(gateway)

    for (let round = 0; round < 9; round++) {
      const ids = Array.from({ length: 20 }, () => client.request())
      await client.roundTrip()
      client.send(...ids.map((id) => resetFrame(id)))
      await client.roundTrip()
    }

    assert.equal(client.ending(), null)
    if (dials === null) {
      await eventually(() => server.open() === 0, 'no dial goes on')
      await eventually(() => underWay(gateway) === quiet, 'no request is under way')
    } else assert.equal(server.connections.length, dials)
  })
}

async function assertServed({ neighbour }: World): Promise<void> {
  assert.equal((await neighbour.ask()).status, 200)
}

async function assertCut(world: World, attacker: Http2Client, code: string): Promise<void> {
  const { gateway, origin } = world
  assert.equal(await attacker.connectionOutcome(), `goaway ${code}`)
  await assertServed(world)
  const named = `listener "web": an HTTP/2 connection of 127.0.0.1:${attacker.port} was cut off for misuse of HTTP/2: `
  const notices = gateway.notices()
  assert.equal(notices.length, 1, notices.join('; '))
  assert.ok(notices[0]?.startsWith(named), `${notices[0]} does not begin with ${named}`)
  await eventually(() => underWay(gateway) === world.quiet, 'nothing more is under way')
  // A stream takes its slot until its server's work has ended, so there are never more connections than slots.
  assert.ok(origin.connections.length < 400, `${origin.connections.length} connections`)
}

function underWay({ scoreboard }: TestGateway): number {
  let sum = 0
  for (let slot = 0; slot < 16; slot++) sum += scoreboard.underWay(slot)
  return sum
}
