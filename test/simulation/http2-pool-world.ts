/**
 * Servers of HTTP/2 and their connections without sockets, in simulated time: the real endpoints, connections and streams; servers that
 * lower limits, say GOAWAY, die, fall silent, refuse; clients that come, leave, read and send slowly. What must hold at any
 * moment is checked as it goes, see http2-pool.test.ts.
 */
import assert from 'node:assert/strict'
import { clock } from '../../src/http/connection/clock.ts'
import { Deadlines, type Expiring } from '../../src/http/connection/deadlines.ts'
import type { ClientSide, Exchange } from '../../src/http/exchange.ts'
import type { Timeouts } from '../../src/model/snapshot.ts'
import { COUNT, SHARED } from '../../src/scoreboard/layout.ts'
import { count, type Slot, sharedAdd, sharedLoad } from '../../src/scoreboard/scoreboard.ts'
import { createEndpoint } from '../../src/upstream/endpoint/create-endpoint.ts'
import type { Http2Connection } from '../../src/upstream/endpoint/http2-connection.ts'
import { Http2Endpoint } from '../../src/upstream/endpoint/http2-endpoint.ts'
import { isWebSocket } from '../../src/upstream/endpoint/http2-request.ts'
import { ServerDial } from '../../src/upstream/endpoint/server-dial.ts'
import type { Chance } from '../fuzz/random.ts'
import { makeBackend, openBoard } from '../support/endpoints.ts'
import { requestOf } from '../support/middleware-context.ts'
import { turn } from '../support/until.ts'
import { Asked } from './http2-pool-exchange.ts'
import { ServerSide } from './http2-pool-server.ts'

export const TIMEOUTS: Timeouts = {
  connectMs: 1_000,
  handshakeMs: 1_000,
  firstByteMs: 3_000,
  stallMs: 3_000,
  tryMs: 0,
  requestMs: 0,
  tunnelMs: 4_000,
}
const IDLE_MS = 2_000
const TICK_MS = 100
const BEGIN_MS = 1_000_000
const ADDRESSES = ['10.0.0.1', '10.0.0.2']

export interface Plan {
  readonly streams: number
  readonly connections: number
  readonly idle: number
  readonly pingMs: number
  readonly maxAgeMs: number
  readonly proxyProtocol: 1 | 2 | null
  readonly takesWebSockets: boolean
}

/** Tells of each connection that is to be opened. */
class WatchedDeadlines extends Deadlines {
  readonly #onDial: (dial: ServerDial) => void

  constructor(onDial: (dial: ServerDial) => void) {
    super()
    this.#onDial = onDial
    this.close()
  }

  override add(member: Expiring): void {
    super.add(member)
    if (member instanceof ServerDial) this.#onDial(member)
  }
}

export class World {
  readonly chance: Chance
  readonly endpoint: Http2Endpoint
  readonly slot: Slot
  /** All connections so far. */
  readonly sides: ServerSide[] = []
  /** How exchanges ended. */
  readonly endings: Map<string, number> = new Map()
  isCalm = false
  readonly #plan: Plan
  readonly #deadlines: WatchedDeadlines
  readonly #asked = new Set<Asked>()
  readonly #dials = new Set<ServerDial>()
  readonly #gone = new Set<string>()

  constructor(plan: Plan, chance: Chance) {
    this.chance = chance
    this.#plan = plan
    this.#deadlines = new WatchedDeadlines((dial) => this.#dialBegins(dial))
    // Time passes by `pass` only, from the same moment on with each seed.
    const board = openBoard({ after: (close: () => void) => close() })
    for (let tick = 0; tick < 2; tick++) this.#deadlines.tick((clock.now = BEGIN_MS))
    const backend = makeBackend(
      { s: { scheme: 'h2c', host: 'server.test', port: 80 } },
      {
        proxyProtocol: plan.proxyProtocol,
        http2: {
          streams: plan.streams,
          windowBytes: 65_535,
          pingMs: plan.pingMs,
          pingTimeoutMs: 1_000,
          maxAgeMs: plan.maxAgeMs,
        },
        limits: {
          connections: plan.connections,
          idle: plan.idle,
          idleMs: IDLE_MS,
          headBytes: 32_768,
          fields: 100,
        },
      },
    )
    const placed = board.place(backend)
    this.slot = board.poolContext(0).slot(placed.serverSlots[0] ?? 0)
    const [server] = backend.servers
    assert.ok(server)
    const context = { ...board.context(0), deadlines: this.#deadlines }
    const endpoint = createEndpoint(backend, server, this.slot, null, context)
    assert.ok(endpoint instanceof Http2Endpoint)
    this.endpoint = endpoint
    // Its name is never resolved, so that each dial waits for this world.
    const addresses = {
      order: () => [],
      failure: null,
      only: null,
      wait: () => () => {},
      has: (address: string) => !this.#gone.has(address),
      close() {},
    }
    const dialTarget = { ...endpoint.dialTarget, addresses }
    Object.assign(endpoint, { addresses, dialTarget })
  }

  #dialBegins(dial: ServerDial): void {
    if (this.#plan.proxyProtocol === null) {
      const waiting = [...this.#asked].filter(({ isWaiting }) => isWaiting).length
      const { expectedStreams } = this.endpoint
      const dials = this.#openDials().length
      assert.ok(waiting >= dials * expectedStreams, `${dials + 1} dials for ${waiting} exchanges`)
    }
    this.#dials.add(dial)
  }

  #openDials(): ServerDial[] {
    for (const dial of this.#dials) if (dial.deadlineIndex < 0) this.#dials.delete(dial)
    return [...this.#dials]
  }

  // What may happen.

  ask(fresh = false): void {
    const { chance } = this
    const body = chance.once(3) ? 1 + chance.below(4_000) : undefined
    const exchange = requestOf({
      method: body === undefined ? 'GET' : 'POST',
      ...(body === undefined ? {} : { body }),
    })
    if (this.#plan.takesWebSockets && body === undefined && chance.once(6))
      exchange.head.upgrade = 'websocket'
    const source = { host: '192.0.2.1', port: 1 + chance.below(3) }
    const addresses = { source, destination: { host: '192.0.2.2', port: 80 } }
    exchange.client = { clientPeer: { addresses, pinned: null } } as unknown as ClientSide
    const asked = new Asked(this, exchange, fresh)
    sharedAdd(this.slot, SHARED.inFlight, 1)
    count(this.slot, COUNT.inFlight, 1)
    const connection = this.endpoint.acquire(exchange, fresh, TIMEOUTS)
    if (connection === null) return this.#uncount('limit')
    asked.connection = connection
    this.#asked.add(asked)
    connection.send(exchange, true, asked, TIMEOUTS, chance.once(4))
  }

  ended(asked: Asked): void {
    this.#asked.delete(asked)
    this.#uncount(asked.ending)
  }

  #uncount(how: string): void {
    sharedAdd(this.slot, SHARED.inFlight, -1)
    count(this.slot, COUNT.inFlight, -1)
    this.endings.set(how, (this.endings.get(how) ?? 0) + 1)
  }

  #someAsked(which: (asked: Asked) => boolean = () => true): Asked | undefined {
    const fit = [...this.#asked].filter(which)
    return fit[this.chance.below(fit.length)]
  }

  leave(): void {
    this.#someAsked()?.leave()
  }

  moveBodies(): void {
    this.#someAsked(({ wantsBody }) => wantsBody)?.sendBody()
    this.#someAsked(({ isPaused }) => isPaused)?.resume()
  }

  /** One of the connections that are to be opened is, or fails. */
  settleDial(): void {
    const dials = this.#openDials()
    const dial = dials[this.chance.below(dials.length)]
    if (dial === undefined) return
    this.#dials.delete(dial)
    if (!this.isCalm && this.chance.once(6)) {
      const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
      dial.dialed(refused, '')
      return
    }
    const side = new ServerSide(this.chance, this.#plan.takesWebSockets)
    this.sides.push(side)
    const address = ADDRESSES.find((one) => !this.#gone.has(one)) ?? ''
    const { near } = side.pair
    dial.dialed(near.asSocket, address)
  }

  #someSide(): ServerSide | undefined {
    const open = this.sides.filter(({ isOpen }) => isOpen)
    return open[this.chance.below(open.length)]
  }

  act(): void {
    this.#someSide()?.act()
  }

  disturb(): void {
    this.#someSide()?.disturb()
  }

  /** The server's first address is removed, or comes back. */
  move(): void {
    const [address = ''] = ADDRESSES
    if (!this.#gone.delete(address)) this.#gone.add(address)
    const { moved } = this.endpoint as unknown as { moved: () => void }
    moved.call(this.endpoint)
  }

  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += TICK_MS) {
      clock.now += TICK_MS
      this.#deadlines.tick(clock.now)
    }
  }

  /** All that is under way between the two sides arrives. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 2;) {
      await turn()
      const isMoved = this.sides.map(({ pair }) => pair.pump()).includes(true)
      quiet = isMoved ? 0 : quiet + 1
    }
  }

  /** Everything goes well from here on, until nothing is under way. */
  async calmDown(): Promise<void> {
    this.isCalm = true
    for (let round = 0; round < 200 && this.#asked.size > 0; round++) {
      while (this.#openDials().length > 0) this.settleDial()
      for (const asked of [...this.#asked]) {
        asked.resume()
        if (asked.ending === '') asked.sendBody()
      }
      for (const side of this.sides) if (side.isOpen) side.respondToAll()
      await this.settle()
      this.pass(TICK_MS)
      this.check()
    }
    assert.deepEqual(
      [...this.#asked].map(({ exchange, isWaiting }) => [exchange.method, isWaiting]),
      [],
      'every exchange ends',
    )
    for (let waited = 0; waited < 4 * IDLE_MS; waited += TICK_MS) {
      while (this.#openDials().length > 0) this.settleDial()
      this.pass(TICK_MS)
      await this.settle()
    }
  }

  // What must hold.

  #connections(): readonly Http2Connection[] {
    const owners = this.sides
      .filter(({ pair }) => !pair.near.isClosed)
      .map(({ pair }) => pair.near.owner)
    return owners.filter((one) => one !== undefined) as unknown as readonly Http2Connection[]
  }

  check(): void {
    const { endpoint, slot } = this
    const connections = this.#connections()
    const { streams, idle, proxyProtocol } = this.#plan
    assert.equal(
      sharedLoad(slot, SHARED.connections),
      connections.length + this.#openDials().length,
      'connections are counted',
    )
    assert.equal(endpoint.inFlight, this.#asked.size, 'exchanges are counted')
    assert.ok(endpoint.idleCount >= 0 && endpoint.idleCount <= idle, `${endpoint.idleCount} idle`)
    for (const side of this.sides) assert.ok(side.most <= Math.max(streams, 1), 'too many streams')
    if (proxyProtocol !== null) return
    // One that must not use an idle connection waits for another one, also when this one is in use again.
    const waiting = [...this.#asked].filter(({ isWaiting, fresh }) => isWaiting && !fresh)
    for (const { exchange } of waiting) {
      const room = connections.find(
        (one) =>
          one.hasRoom &&
          !one.isDoubtful &&
          (!isWebSocket(exchange) || (one.isReady && one.peer.enableConnectProtocol)),
      )
      if (room !== undefined)
        assert.fail(`${nameOf(exchange)} waits, and has room: ${describe(room)}`)
    }
  }

  /** Nothing is left of anything. */
  async checkEmpty(): Promise<void> {
    const { endpoint, slot } = this
    assert.deepEqual(
      {
        connections: sharedLoad(slot, SHARED.connections),
        inFlight: endpoint.inFlight,
        idle: endpoint.idleCount,
        open: this.#connections().length,
        groups: this.#plan.proxyProtocol === null ? 0 : endpoint.groupCount,
      },
      { connections: 0, inFlight: 0, idle: 0, open: 0, groups: 0 },
    )
    // Each has understood all that it was sent.
    for (const { peer } of this.sides) await peer.until(() => true, 'a look')
  }
}

function nameOf(exchange: Exchange): string {
  return isWebSocket(exchange) ? 'a WebSocket' : `a ${exchange.method}`
}

function describe({ isReady, streamCount, peer, address }: Http2Connection): string {
  const settings = isReady ? `of ${peer.maxConcurrentStreams}` : 'before SETTINGS'
  return `${streamCount} streams ${settings}, to ${address}`
}
