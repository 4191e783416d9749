/** Live endpoints and pools on a real scoreboard, without the planes around them. Nothing is connected to. */
import type { TestContext } from 'node:test'
import { NameTable } from '../../src/dns/names.ts'
import { Deadlines } from '../../src/http/connection/deadlines.ts'
import type { Backend, PlacedBackend, Server } from '../../src/model/snapshot.ts'
import { COUNT, SHARED } from '../../src/scoreboard/layout.ts'
import { Scoreboard, ScoreboardView } from '../../src/scoreboard/scoreboard.ts'
import type { BalancedRequest } from '../../src/upstream/balancing/balancer.ts'
import type { Endpoint, EndpointContext } from '../../src/upstream/endpoint/endpoint.ts'
import { createEndpoint } from '../../src/upstream/endpoint/create-endpoint.ts'
import { OwnAddresses } from '../../src/upstream/connecting/own-addresses.ts'
import type { PoolContext } from '../../src/upstream/pool.ts'
import { backendOf, serverOf } from './objects.ts'

export interface TestBoard {
  readonly scoreboard: Scoreboard
  /** One a thread. */
  readonly views: readonly ScoreboardView[]
  /** Where the names of servers lead, in all threads. */
  readonly names: NameTable
  /** The board's clock. */
  now: number
  /** Backends for which requests waited, each time. */
  readonly wakes: string[]
  /** Servers keep the slots that they were given first, by their names. */
  place(backend: Backend): PlacedBackend
  context(thread: number): EndpointContext
  poolContext(thread: number, seed?: number): PoolContext
  endpoints(backend: Backend, thread?: number): Endpoint[]
  /** A shared cell of a server's slot, by its name. */
  shared(server: string, cell: keyof typeof SHARED): number
  /** A counter of a server's slot, over all threads. */
  count(server: string, counter: keyof typeof COUNT): number
  setShared(server: string, cell: keyof typeof SHARED, value: number): void
}

export function openBoard(t: Pick<TestContext, 'after'>, threads = 1): TestBoard {
  const scoreboard = new Scoreboard(threads, 0)
  const views = Array.from(
    { length: threads },
    (_, thread) => new ScoreboardView(scoreboard.memory(), thread),
  )
  const deadlines = new Deadlines()
  t.after(() => deadlines.close())
  const names = new NameTable()
  const slots = new Map<string, number>()
  let held = scoreboard.size

  function slotOf(name: string): number {
    const slot = slots.get(name) ?? scoreboard.allocate()
    slots.set(name, slot)
    if (scoreboard.size.pages > held.pages) {
      const added = scoreboard.addedSince(held)
      for (const view of views) view.add(added)
      held = scoreboard.size
    }
    return slot
  }

  function viewOf(thread: number): ScoreboardView {
    const view = views[thread]
    if (view === undefined) throw new Error(`the board has no thread ${thread}`)
    return view
  }

  const board: TestBoard = {
    scoreboard,
    views,
    names,
    wakes: [],
    now: 1_000,
    place: (backend) => ({
      object: backend,
      slot: slotOf(`backend ${backend.id}`),
      serverSlots: backend.servers.map(({ id }) => slotOf(id)),
      breakerSlots: [],
    }),
    context: () => ({
      deadlines,
      now: () => board.now,
      own: new OwnAddresses(),
      names,
      raiseAlarm: () => {},
      onNotice: () => {},
      onFault: (fault) => {
        throw fault
      },
    }),
    poolContext: (thread, seed = 1) => ({
      ...board.context(thread),
      slot: (number) => viewOf(thread).slot(number),
      random: seeded(seed),
      stickyKey: Buffer.from('a key of this process'),
      onWake: (backend) => void board.wakes.push(backend),
    }),
    endpoints: (backend, thread = 0) =>
      backend.servers.map((server) =>
        createEndpoint(
          backend,
          server,
          viewOf(thread).slot(slotOf(server.id)),
          null,
          board.context(thread),
        ),
      ),
    shared: (server, cell) => scoreboard.shared(slotOf(server), SHARED[cell]),
    count: (server, counter) => scoreboard.sumOf(scoreboard.slot(slotOf(server)), COUNT[counter]),
    setShared(server, cell, value) {
      const { shared, at } = scoreboard.slot(slotOf(server))
      Atomics.store(shared, at + SHARED[cell], value)
    },
  }
  return board
}

/** `3` is a weight. */
export function makeServer(id: string, rest: number | Partial<Server> = {}): Server {
  return serverOf(id, `http://${id}.test:80`, typeof rest === 'number' ? { weight: rest } : rest)
}

export function makeBackend(
  servers: Readonly<Record<string, number | Partial<Server>>>,
  rest: Partial<Backend> = {},
): Backend {
  const all = Object.entries(servers).map(([id, server]) => makeServer(id, server))
  return backendOf('b', all, rest)
}

export function makeRequest(
  rest: Partial<Omit<BalancedRequest, 'field'>> & {
    fields?: Readonly<Record<string, string>>
  } = {},
): BalancedRequest {
  const { fields = {}, clientIp = '192.0.2.1', path = '/', query = '' } = rest
  return { clientIp, path, query, field: (name) => fields[name] }
}

/** Chance that comes again: mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), 1 | state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }
}
