/**
 * A gateway in this process with one server of every behaviour, clients that use every part of it, and a seam of the data plane
 * that is made to throw. What gives counts back (Endpoint.closed, Pool.done, LiveListener.leave, HeldRequests.leave, MiddlewareChain.onEnd) is no seam: it has no part
 * that can fail; nor is what catches: clientGone, MiddlewareChain.resume, what a connection
 * tells its attempt.
 */
import type { TestContext } from 'node:test'
import { ResponseWriter } from '../../src/downstream/response-writer.ts'
import { ClientPeer } from '../../src/downstream/client-peer.ts'
import { ClientConnection } from '../../src/downstream/client-connection.ts'
import { HttpListener } from '../../src/downstream/http-listener.ts'
import { RequestBody } from '../../src/downstream/request-body.ts'
import { Attempt } from '../../src/gateway/attempt.ts'
import { Forwarder } from '../../src/gateway/forwarder.ts'
import { ReplayBuffer } from '../../src/gateway/replay-buffer.ts'
import { Route } from '../../src/gateway/route.ts'
import { RetryState } from '../../src/gateway/retry-state.ts'
import { MiddlewareChain } from '../../src/gateway/middleware-chain.ts'
import { Exchange } from '../../src/http/exchange.ts'
import { Http1Connection } from '../../src/http/connection/http1-connection.ts'
import { KeyTable } from '../../src/policy/limiting/key-table.ts'
import { WaitQueue } from '../../src/policy/limiting/wait-queue.ts'
import { RoutingTable } from '../../src/routing/table.ts'
import { COUNT, NO_TRAFFIC, SHARED } from '../../src/scoreboard/layout.ts'
import { ResponseBody } from '../../src/upstream/endpoint/response-body.ts'
import { Endpoint } from '../../src/upstream/endpoint/endpoint.ts'
import { HeldRequests } from '../../src/upstream/held-requests.ts'
import { Pool } from '../../src/upstream/pool.ts'
import { PoolRetryBudget } from '../../src/upstream/retry-budget.ts'
import { RequestWriter } from '../../src/upstream/endpoint/request-writer.ts'
import { ServerConnection } from '../../src/upstream/endpoint/server-connection.ts'
import { Stickiness } from '../../src/upstream/balancing/sticky.ts'
import { Tiers } from '../../src/upstream/balancing/tiers.ts'
import { connectClient, type Client } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { OK, startOrigin, type Script } from '../support/origin.ts'
import { choosePort } from '../support/ports.ts'
import { get, request } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

/** Of every class on the way of an exchange, what is called on it from outside, and what sockets, timers and deadlines call. */
export const SEAMS: readonly (readonly [of: { readonly prototype: object }, methods: string])[] = [
  [RoutingTable, 'match'],
  [HttpListener, 'destinationOf writeMs idleMs'],
  [ClientPeer, 'createExchange'],
  [
    ClientConnection,
    'received readHeads resumeBody sendInterim sendHead sendData sendEnd sendLocal becomeTunnel writable peerEnded broken expire tunnelClosed',
  ],
  [RequestBody, 'read progressed'],
  [ResponseWriter, 'begin data end'],
  [Exchange, 'field'],
  [
    Http1Connection,
    'writeJoined dispatchEnd dispatchDrain dispatchError joinTunnel passThrough tunnelData tunnelFinish',
  ],
  [Route, 'timeoutsOf hedgeMs noteHeadMs'],
  [MiddlewareChain, 'run'],
  [
    Forwarder,
    'start forward attemptFailed attemptResponse attemptEnded attemptUpgraded respond expire',
  ],
  [RetryState, 'attemptTakesBody attemptInterim attemptSent dropAttempt settleRace canRetry'],
  [ReplayBuffer, 'attach detach resume bodyData bodyEnd resumeResponse'],
  [Attempt, 'send expire abandon abandonLate loseRace'],
  [Pool, 'pick linesFor whyNone'],
  [HeldRequests, 'join wasHeld'],
  [Tiers, 'pick'],
  [Stickiness, 'pick cookieFor'],
  [PoolRetryBudget, 'countRequest tryTake'],
  [Endpoint, 'acquire release connected connectFailed responded completed failed lostRace forget'],
  [
    ServerConnection,
    'send bodyData bodyEnd resumeResponse received peerEnded writable broken expire abandon tunnelTo tunnelClosed',
  ],
  [RequestWriter, 'begin sendText data end'],
  [ResponseBody, 'read'],
  [KeyTable, 'findOrTake'],
  [WaitQueue, 'add remove'],
]

const WAITING = new Set(['late', 'tried', 'slow', 'cold too long'])
const PIECE = 'x'.repeat(40_000)
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n'

const serve: Script = async (seen, connection) => {
  const what = seen.target.slice(seen.target.lastIndexOf('/') + 1)
  switch (what) {
    case 'large': {
      connection.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
      const chunk = `${PIECE.length.toString(16)}\r\n${PIECE}\r\n`
      await connection.writePieces([chunk, chunk, chunk, '0\r\nX-Sum: 3\r\n\r\n'])
      break
    }
    case 'up':
      connection.tunnel()
      connection.write(`${SWITCH}hello`)
      await connection.gone(Infinity)
      connection.end()
      break
    case 'expect':
      connection.write('HTTP/1.1 100 Continue\r\n\r\n')
      await seen.whole()
      connection.write(OK)
      break
    case 'cut':
      connection.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
      connection.reset()
      break
    case 'never':
      break
    default:
      await seen.whole()
      connection.write(OK)
  }
}

export interface WorldClient {
  readonly name: string
  /** Resolves with what it saw: `well`, if it got what it came for. */
  readonly act: () => Promise<string>
  /** It waits for a time limit. */
  readonly waits: boolean
}

export interface World {
  readonly gateway: TestGateway
  readonly clients: readonly WorldClient[]
  /** What is counted and should not be, when no client is there. */
  held(): readonly string[]
}

export async function openWorld(t: TestContext): Promise<World> {
  const [origin, other, resetting] = await Promise.all([
    startOrigin(t, serve),
    startOrigin(t, serve),
    startOrigin(t, (_seen, connection) => connection.reset()),
  ])
  const dead = `http://127.0.0.1:${await choosePort()}`
  const both = { one: origin.url, two: other.url }
  const again = { attempts: 3, backoff: '1ms', budget: { ratio: '100%', perSecond: 100_000 } }
  const route = (name: string, backend: string, rest: object = {}): object => ({
    [name]: { route: `PathPrefix("/${name}/")`, backend, ...rest },
  })
  const fromZero = (zero: object, server: string): object => ({
    ...{ servers: { one: server }, retry: again },
    scale: { actuator: { swarm: { service: 'cold' } }, min: 0, max: 1, zero },
  })
  const limits = [
    { kind: 'connlimit', connections: 12 },
    { kind: 'inflight', requests: 1, queue: 20, wait: '20s' },
    { kind: 'adaptive' },
    { kind: 'breaker', condition: 'NetworkErrorRatio() > 0.99' },
    { kind: 'ratelimit', requests: 1_000_000, period: '1s', headers: true },
    { kind: 'bodylimit', size: '1MiB' },
  ]
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: {
      plain: { servers: both, retry: again },
      sticky: { servers: both, sticky: {} },
      hashed: { servers: both, balance: 'hash', hash: { from: 'header', name: 'X-Key' } },
      flaky: { servers: { bad: resetting.url, good: origin.url }, retry: again },
      dead: { servers: { dead } },
      hedged: { servers: both, retry: { ...again, hedge: { after: '1ms' } } },
      cold: fromZero({ timeout: '20s' }, origin.url),
      left: fromZero({ timeout: '2s' }, other.url),
      never: fromZero({ timeout: '50ms' }, origin.url),
    },
    frontends: {
      ...route('plain', 'plain'),
      ...route('sticky', 'sticky'),
      ...route('hashed', 'hashed'),
      ...route('flaky', 'flaky'),
      ...route('dead', 'dead'),
      ...route('hedged', 'hedged'),
      ...route('late', 'plain', { timeouts: { request: '50ms' } }),
      ...route('tried', 'plain', { timeouts: { try: '50ms' }, retry: { attempts: 1 } }),
      ...route('slow', 'plain', { timeouts: { firstByte: '50ms' }, retry: { attempts: 1 } }),
      ...route('cold', 'cold'),
      ...route('left', 'left'),
      ...route('never', 'never'),
      ...route('limited', 'plain', { middlewares: limits }),
    },
  })

  const { scoreboard } = gateway
  const slots = scoreboard.allocate()

  /** Its server gets requests, or not. */
  function warm(backend: string, isWarm: boolean): void {
    for (const slot of slotsOf(backend).servers) {
      const { shared, at } = scoreboard.slot(slot)
      Atomics.store(shared, at + SHARED.trafficShare, isWarm ? 0 : NO_TRAFFIC)
    }
  }

  const slotsOf = (backend: string): { slot: number; servers: readonly number[] } => {
    const found = [...gateway.placed().backends].find(({ id }) => id === backend)
    if (found === undefined) throw new Error(`there is no backend ${backend}`)
    return { slot: found.slot, servers: [...found.servers].map(({ slot }) => slot) }
  }
  warm('left', false)
  warm('never', false)

  /** Sends a request, and resolves when it waits for a server or has ended. */
  async function askCold(client: Client, backend: string): Promise<{ status: Promise<number> }> {
    let isOver = false
    const status = client.ask(get(`/${backend}/small`)).then((response) => response.status)
    status.then(
      () => (isOver = true),
      () => (isOver = true),
    )
    const { slot } = slotsOf(backend)
    await eventually(() => isOver || scoreboard.sum(slot, COUNT.held) > 0, 'it waits')
    return { status }
  }

  /** On a connection of its own, closed behind it. */
  async function on(act: (client: Client) => Promise<string>): Promise<string> {
    const client = await connectClient(gateway.port)
    try {
      return await act(client)
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    } finally {
      client.socket.destroy()
    }
  }
  const asks =
    (text: string, wanted: number, size: number | null = 2) =>
    () =>
      on(async (client) => {
        const { status, body } = await client.ask(text)
        if (status !== wanted) return `answered ${status}`
        return size === null || body.length === size ? 'well' : `${body.length} bytes`
      })
  const chunked = 'Transfer-Encoding: chunked'
  const upload = `5\r\nhello\r\n`

  return {
    gateway,
    clients: clientsOf([
      ['small', asks(get('/plain/small'), 200)],
      ['large', asks(get('/plain/large'), 200, 3 * PIECE.length)],
      ['post', asks(`${request('POST', '/plain/post', 'Content-Length: 5')}hello`, 200)],
      ['sticky', asks(get('/sticky/small'), 200)],
      ['hashed', asks(get('/hashed/small', 'X-Key: a'), 200)],
      ['flaky', asks(get('/flaky/small'), 200)],
      ['dead', asks(get('/dead/small'), 502, null)],
      ['hedged', asks(get('/hedged/large'), 200, 3 * PIECE.length)],
      ['late', asks(get('/late/never'), 504, null)],
      ['tried', asks(get('/tried/never'), 504, null)],
      ['slow', asks(get('/slow/never'), 504, null)],
      [
        'cold',
        () =>
          on(async (client) => {
            warm('cold', false)
            const { status } = await askCold(client, 'cold')
            warm('cold', true)
            return (await status) === 200 ? 'well' : `answered ${await status}`
          }),
      ],
      [
        'leaves when it waits',
        () =>
          on(async (client) => {
            await askCold(client, 'left')
            client.reset()
            return 'well'
          }),
      ],
      ['cold too long', asks(get('/never/small'), 503, null)],
      ['nowhere', asks(get('/nowhere'), 404, null)],
      ['limited', asks(get('/limited/small'), 200)],
      ['limited too', asks(get('/limited/large'), 200, 3 * PIECE.length)],
      [
        'upload',
        () =>
          on(async (client) => {
            client.send(request('POST', '/plain/post', chunked))
            await client.sendPieces([upload, upload, '0\r\n\r\n'])
            const { status } = await client.readResponse('POST')
            return status === 200 ? 'well' : `answered ${status}`
          }),
      ],
      [
        'expect',
        () =>
          on(async (client) => {
            client.send(
              request('POST', '/plain/expect', 'Expect: 100-continue', 'Content-Length: 5'),
            )
            const { status: interim } = await client.message('POST')
            if (interim !== 100) return `answered ${interim}`
            client.send('hello')
            const { status } = await client.readResponse('POST')
            return status === 200 ? 'well' : `answered ${status}`
          }),
      ],
      [
        'pipelined',
        () =>
          on(async (client) => {
            client.send(get('/plain/small').repeat(3))
            for (let left = 3; left > 0; left--) {
              const { status } = await client.readResponse()
              if (status !== 200) return `answered ${status}`
            }
            return 'well'
          }),
      ],
      [
        'tunnel',
        () =>
          on(async (client) => {
            const { status } = await client.ask(
              get('/plain/up', 'Connection: Upgrade', 'Upgrade: echo'),
            )
            if (status !== 101) return `answered ${status}`
            client.send('ping')
            const said = await client.bytes(5)
            client.end()
            return said === 'hello' ? 'well' : said
          }),
      ],
      [
        'cut',
        () =>
          on(async (client) => {
            client.send(get('/plain/cut'))
            await client.closed()
            return 'well'
          }),
      ],
      [
        'leaves',
        () =>
          on(async (client) => {
            client.send(get('/plain/never'))
            await client.sendPieces(['', ''])
            client.reset()
            return 'well'
          }),
      ],
    ]),
    held() {
      const found: string[] = []
      let connections = 0
      for (let number = 0; number < slots; number++) {
        const inFlight = scoreboard.underWay(number)
        const ofThread = scoreboard.sum(number, COUNT.inFlight)
        if (inFlight !== 0 || ofThread !== 0)
          found.push(`slot ${number} has ${inFlight} (${ofThread}) in flight`)
        // Also the cell of those that wait in a queue.
        connections += scoreboard.shared(number, SHARED.connections)
      }
      const open = [origin, other, resetting].reduce((sum, { open }) => sum + open(), 0)
      if (connections !== open)
        found.push(`${connections} connections or waiting, ${open} are open`)
      return found
    },
  }
}

function clientsOf(
  acts: readonly (readonly [name: string, act: () => Promise<string>])[],
): readonly WorldClient[] {
  return acts.map(([name, act]) => ({ name, act, waits: WAITING.has(name) }))
}
