/** Two serving threads are two views of one scoreboard; time is the test's own. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import * as fc from 'fast-check'
import { connlimit } from '../../src/middleware/connlimit.ts'
import type { Middleware } from '../../src/middleware/middleware.ts'
import { LEASE_MS } from '../../src/policy/limiting/leased-counts.ts'
import { TABLE_CELLS_PER_KEY } from '../../src/scoreboard/layout.ts'
import {
  ask,
  createMiddlewareContext,
  openThreads,
  localResponse,
  requestOf,
  type ScriptedContext,
} from '../support/middleware-context.ts'
import { parseOptions } from '../support/options.ts'

interface Limited {
  readonly threads: readonly Middleware[]
  readonly cells: BigInt64Array
  /** Keys that the table holds at most. */
  readonly room: number
  /** A request of this client: its context, or null when it was refused. */
  enter(thread: number, clientIp?: string): ScriptedContext | null
  /** Time passes for the threads that live. */
  pass(ms: number): void
}

function start(t: TestContext, connections: number, count = 2): Limited {
  t.mock.timers.enable({ apis: ['setInterval'] })
  t.after(() => {
    t.mock.timers.reset()
  })
  return open(connections, count, (ms) => {
    t.mock.timers.tick(ms)
  })
}

function open(connections: number, count: number, tick: (ms: number) => void): Limited {
  let now = 0
  const { compileContexts, scoreboard } = openThreads(count, () => now)
  const parsed = parseOptions(connlimit, { connections })
  if (!parsed.ok) throw new Error(parsed.message)
  const threads = compileContexts.map((one) => connlimit.compile(parsed.value, one))
  const [table] = scoreboard.memory().tables
  const cells = new BigInt64Array(table?.memory ?? new SharedArrayBuffer(0))
  return {
    threads,
    cells,
    room: cells.length / TABLE_CELLS_PER_KEY,
    enter(thread, clientIp = '192.0.2.1') {
      const context = createMiddlewareContext()
      const middleware = threads[thread]
      if (middleware === undefined) throw new Error(`there is no thread ${thread}`)
      return ask(middleware, requestOf({ clientIp }), context) === null ? context : null
    },
    pass(ms) {
      // In steps, as timers and clock go together.
      for (let left = ms; left > 0; left -= 1000) {
        now += 1000
        tick(1000)
      }
    },
  }
}

/** What the cells count, whatever the keys. */
function counted(cells: BigInt64Array): number {
  let sum = 0
  for (let at = 1; at < cells.length; at += TABLE_CELLS_PER_KEY) {
    const value = cells[at] ?? 0n
    if (value === 0n) continue
    const counts = Number(value & 0xffff_ffffn)
    sum += (counts >>> 16) + (counts & 0xffff)
  }
  return sum
}

function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((total, number) => total + number, 0)
}

test('refuses what is above the limit over all threads, in the words of vulcand', (t) => {
  const limited = start(t, 2)
  const first = limited.enter(0)
  const second = limited.enter(1)
  const [middleware] = limited.threads
  assert.ok(first && second && middleware)

  const response = localResponse(ask(middleware, requestOf(), createMiddlewareContext()))
  const other = limited.enter(0, '192.0.2.2')
  first.end()
  const afterwards = limited.enter(1)

  assert.equal(response.status, 429)
  assert.equal(response.reason, 'CLIENT_LIMIT')
  assert.equal(response.body.toString(), 'max connections reached: 2')
  assert.ok(other, 'another client has places of its own')
  assert.ok(afterwards, 'a place that was given back is free in another thread')
})

test('gives back however the request ends', (t) => {
  const limited = start(t, 1)

  for (const end of [{}, { status: 0, isClientsFault: true }, { status: 502 }]) {
    const context = limited.enter(0)
    assert.ok(context)
    context.end(end)
  }

  assert.equal(counted(limited.cells), 0)
})

test('keeps the count of a request that outlives many leases', (t) => {
  const limited = start(t, 1)
  const context = limited.enter(0)
  assert.ok(context)

  for (let lease = 0; lease < 5; lease++) {
    limited.pass(LEASE_MS)
    assert.equal(limited.enter(1), null)
  }
  context.end()

  assert.ok(limited.enter(1))
})

test('frees after two leases what a thread held that died', (t) => {
  const limited = start(t, 1)
  assert.ok(limited.enter(0))
  // Its timers die with it.
  t.mock.timers.reset()
  t.mock.timers.enable({ apis: ['setInterval'] })

  limited.pass(LEASE_MS - 1000)
  const before = limited.enter(1)
  limited.pass(LEASE_MS + 1000)
  const after = limited.enter(1)

  assert.equal(before, null)
  assert.ok(after)
})

test('a thread that was held up for longer than its lease gives back no more than it has', (t) => {
  const limited = start(t, 2)
  const late = limited.enter(0)
  t.mock.timers.reset()
  t.mock.timers.enable({ apis: ['setInterval'] })
  limited.pass(3 * LEASE_MS)
  const held = [limited.enter(1), limited.enter(1)]
  assert.ok(late && held.every((context) => context !== null))

  late.end()

  assert.equal(counted(limited.cells), 2)
  assert.equal(limited.enter(1), null)
})

test('never forgets a key with requests under way, however many other keys come', (t) => {
  const limited = start(t, 1)
  const held = limited.enter(0, '198.51.100.7')
  assert.ok(held)

  for (let key = 0; key < 2 * limited.room; key++)
    limited.enter(key % 2, `2001:db8:${key.toString(16)}::`)?.end()

  assert.equal(limited.enter(1, '198.51.100.7'), null)
  held.end()
  assert.equal(counted(limited.cells), 0)
})

test('lets a new key through uncounted when its whole set is under way', (t) => {
  const limited = start(t, 1, 1)
  const contexts = Array.from({ length: 1.2 * limited.room }, (_, key) =>
    limited.enter(0, `${key}`),
  )

  assert.ok(contexts.every((context) => context !== null))
  assert.ok(counted(limited.cells) <= limited.room)
  for (const context of contexts) context?.end()
  assert.equal(counted(limited.cells), 0)
})

test('counts are exact and return to zero, whatever the order in which requests come and go', (t) => {
  const step = fc.record({
    thread: fc.nat(1),
    client: fc.nat(2),
    ends: fc.boolean(),
    which: fc.nat(),
    ms: fc.constantFrom(0, 0, 1000, 20_000),
  })
  t.mock.timers.enable({ apis: ['setInterval'] })
  t.after(() => {
    t.mock.timers.reset()
  })

  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const limited = open(3, 2, (ms) => {
        t.mock.timers.tick(ms)
      })
      const held = new Map([0, 1, 2].map((client) => [client, [] as ScriptedContext[]]))
      for (const { thread, client, ends, which, ms } of steps) {
        limited.pass(ms)
        const mine = held.get(client) ?? []
        if (ends) mine.splice(which % (mine.length || 1), 1)[0]?.end()
        else {
          const context = limited.enter(thread, `192.0.2.${client}`)
          assert.equal(context === null, mine.length === 3)
          if (context !== null) mine.push(context)
        }
        assert.equal(counted(limited.cells), sum([...held.values()].map(({ length }) => length)))
      }
      for (const context of [...held.values()].flat()) context.end()
      assert.equal(counted(limited.cells), 0)
    }),
    { numRuns: 30 },
  )
})

test('says what is wrong with its options', () => {
  const message = (options: unknown): string => {
    const parsed = parseOptions(connlimit, options)
    return parsed.ok ? JSON.stringify(parsed.value) : parsed.message
  }

  assert.equal(message({ connections: 10 }), '{"connections":10,"key":"client.ip"}')
  assert.match(message({ connections: 0 }), /^connections: .*with 0 every request would be refused/)
  assert.match(message({ connections: -1 }), /^connections: must be a whole number from 1 to 65535/)
  assert.match(message({ connections: 1.5 }), /^connections: must be a whole number/)
  assert.equal(message({}), 'connections: is missing')
  assert.match(message({ connections: 1, key: 'request.path' }), /^key: must be client.ip/)
  assert.match(message({ connections: 1, kee: 'x' }), /unknown key "kee"/)
})
