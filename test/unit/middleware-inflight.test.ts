/** Two serving threads are two views of one scoreboard; time is the test's own. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import * as fc from 'fast-check'
import { inflight } from '../../src/middleware/inflight.ts'
import { COUNT, SHARED } from '../../src/scoreboard/layout.ts'
import {
  ask,
  createMiddlewareContext,
  openThreads,
  localResponse,
  requestOf,
  type ScriptedContext,
} from '../support/middleware-context.ts'
import { turn } from '../support/until.ts'
import { parseOptions } from '../support/options.ts'

interface Limited {
  /** A request and what was said to it at once. */
  enter(thread: number): { readonly context: ScriptedContext; readonly decision: unknown }
  /** Time passes, in both threads. */
  pass(ms: number): void
  /** One of the threads died. */
  forget(thread: number): void
  counts(): { readonly inFlight: number; readonly waiting: number }
}

function start(
  t: TestContext,
  options: object,
  onDecided?: (one: ScriptedContext) => void,
): Limited {
  t.mock.timers.enable({ apis: ['setInterval'] })
  t.after(() => {
    t.mock.timers.reset()
  })
  return open(options, onDecided, (ms) => {
    t.mock.timers.tick(ms)
  })
}

function open(
  options: object,
  onDecided: ((one: ScriptedContext) => void) | undefined,
  tick: (ms: number) => void,
): Limited {
  let now = 0
  const { scoreboard, slot, compileContexts } = openThreads(2, () => now)
  const parsed = parseOptions(inflight, options)
  if (!parsed.ok) throw new Error(parsed.message)
  const threads = compileContexts.map((one) => inflight.compile(parsed.value, one))
  return {
    enter(thread) {
      const middleware = threads[thread]
      if (middleware === undefined) throw new Error(`there is no thread ${thread}`)
      const context = createMiddlewareContext(onDecided)
      return { context, decision: ask(middleware, requestOf(), context) }
    },
    pass(ms) {
      now += ms
      tick(ms)
    },
    forget(thread) {
      scoreboard.forgetThread(thread)
    },
    counts() {
      const inFlight = scoreboard.shared(slot, SHARED.inFlight)
      const waiting = scoreboard.shared(slot, SHARED.waiting)
      assert.equal(scoreboard.sum(slot, COUNT.inFlight), inFlight)
      assert.equal(scoreboard.sum(slot, COUNT.connections), waiting)
      return { inFlight, waiting }
    },
  }
}

test('refuses at once what is above the limit of all threads, without a queue', (t) => {
  const limited = start(t, { requests: 2 })
  const first = limited.enter(0)
  const second = limited.enter(1)

  const third = localResponse(limited.enter(0).decision as never)
  first.context.end()
  const fourth = limited.enter(1)

  assert.equal(second.decision, null)
  assert.equal(third.status, 503)
  assert.equal(third.reason, 'QUEUE_FULL')
  assert.match(third.fields, /^Retry-After: \d+\r\n$/m)
  assert.equal(fourth.decision, null)
})

test('those who wait go on in the order in which they came', async (t) => {
  const limited = start(t, { requests: 1, queue: 3 })
  const running = limited.enter(0)
  const waiting = [limited.enter(0), limited.enter(0), limited.enter(0)]
  const order: number[] = []

  for (let ended = running.context; ;) {
    ended.end()
    await turn()
    const next = waiting.findIndex(
      ({ context }, at) => context.decided === null && !order.includes(at),
    )
    if (next < 0) break
    order.push(next)
    ended = waiting[next]?.context ?? ended
  }

  assert.deepEqual(
    waiting.map(({ decision }) => decision),
    ['pending', 'pending', 'pending'],
  )
  assert.deepEqual(order, [0, 1, 2])
  assert.deepEqual(limited.counts(), { inFlight: 0, waiting: 0 })
})

test('one that comes does not overtake those who wait in its thread', async (t) => {
  const limited = start(t, { requests: 1, queue: 2 })
  const running = limited.enter(0)
  const waiting = limited.enter(0)

  running.context.end()
  const late = limited.enter(0)
  await turn()

  assert.equal(waiting.context.decided, null)
  assert.equal(late.decision, 'pending')
  assert.equal(late.context.decided, undefined)
})

test('counts those who wait over all threads', (t) => {
  const limited = start(t, { requests: 1, queue: 2 })
  limited.enter(0)

  const decisions = [limited.enter(0), limited.enter(1), limited.enter(1), limited.enter(0)]

  assert.deepEqual(
    decisions.map(({ decision }) =>
      decision === 'pending' ? decision : localResponse(decision as never).reason,
    ),
    ['pending', 'pending', 'QUEUE_FULL', 'QUEUE_FULL'],
  )
  assert.deepEqual(limited.counts(), { inFlight: 1, waiting: 2 })
})

test('notices a place that another thread gave back', (t) => {
  const limited = start(t, { requests: 1, queue: 1 })
  const running = limited.enter(0)
  const waiting = limited.enter(1)

  running.context.end()
  limited.pass(5)

  assert.equal(waiting.context.decided, null)
})

test('whoever waited for the whole time is told so, and nobody who has not', (t) => {
  const limited = start(t, { requests: 1, queue: 2, wait: '100ms' })
  limited.enter(0)
  const early = limited.enter(0)
  limited.pass(50)
  const late = limited.enter(0)

  limited.pass(50)

  const response = localResponse(early.context.decided)
  assert.equal(response.status, 503)
  assert.equal(response.reason, 'QUEUE_TIMEOUT')
  assert.match(response.fields, /^Retry-After: \d+\r\n$/m)
  assert.equal(late.context.decided, undefined)
  assert.deepEqual(limited.counts(), { inFlight: 1, waiting: 1 })
})

test('a client that leaves while it waits leaves its place in the queue', async (t) => {
  const limited = start(t, { requests: 1, queue: 2 })
  const running = limited.enter(0)
  const leaving = limited.enter(0)
  const next = limited.enter(0)

  leaving.context.end({ status: 0, isClientsFault: true })
  const counts = limited.counts()
  running.context.end()
  await turn()

  assert.deepEqual(counts, { inFlight: 1, waiting: 1 })
  assert.equal(next.context.decided, null)
})

test('a long queue of requests that end as soon as they go on is done with', async (t) => {
  const limited = start(t, { requests: 1, queue: 20_000 }, (context) => {
    context.end()
  })
  const running = limited.enter(0)
  const waiting = Array.from({ length: 20_000 }, () => limited.enter(0))

  running.context.end()
  await turn()

  assert.ok(waiting.every(({ context }) => context.isOver))
  assert.deepEqual(limited.counts(), { inFlight: 0, waiting: 0 })
})

test('what a thread held and had waiting comes back when it dies', (t) => {
  const limited = start(t, { requests: 2, queue: 2 })
  limited.enter(0)
  limited.enter(1)
  limited.enter(0)
  // Its timers die with it.
  t.mock.timers.reset()
  t.mock.timers.enable({ apis: ['setInterval'] })
  const waiting = limited.enter(1)

  limited.forget(0)

  assert.deepEqual(limited.counts(), { inFlight: 1, waiting: 1 })
  limited.pass(5)
  assert.equal(waiting.context.decided, null)
})

test('counts stay within their bounds and return to zero, whatever comes, waits, leaves and ends', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  t.after(() => {
    t.mock.timers.reset()
  })
  const step = fc.record({
    thread: fc.nat(1),
    does: fc.constantFrom('enter', 'enter', 'end', 'pass', 'turn'),
    which: fc.nat(),
    ms: fc.integer({ min: 1, max: 60 }),
  })

  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const limited = open({ requests: 2, queue: 3, wait: '100ms' }, undefined, (ms) => {
        t.mock.timers.tick(ms)
      })
      const here: ScriptedContext[] = []
      for (const { thread, does, which, ms } of steps) {
        if (does === 'enter') {
          const { context, decision } = limited.enter(thread)
          if (decision === null || decision === 'pending') here.push(context)
        } else if (does === 'end') here.splice(which % (here.length || 1), 1)[0]?.end()
        else if (does === 'pass') limited.pass(ms)
        else await turn()
        const { inFlight, waiting } = limited.counts()
        const open = here.filter(({ decided }) => decided === undefined || decided === null)
        assert.ok(inFlight <= 2 && waiting <= 3)
        assert.equal(inFlight + waiting, open.length)
      }
      for (const context of here) context.end()
      await turn()
      assert.deepEqual(limited.counts(), { inFlight: 0, waiting: 0 })
    }),
    { numRuns: 200 },
  )
})

test('says what is wrong with its options, and reads those that it has parsed once more', () => {
  const message = (options: unknown): string => {
    const parsed = parseOptions(inflight, options)
    return parsed.ok ? JSON.stringify(parsed.value) : parsed.message
  }

  const parsed = message({ requests: 5, wait: 2 })
  assert.equal(parsed, '{"requests":5,"queue":0,"wait":"2s"}')
  assert.equal(message(JSON.parse(parsed)), parsed)
  assert.equal(message({ requests: 5, wait: '1500ms' }), '{"requests":5,"queue":0,"wait":"1500ms"}')
  assert.match(message({ requests: 0 }), /^requests: .*with 0 every request would be refused/)
  assert.match(message({ requests: 1, queue: -1 }), /^queue: must be a whole number from 0/)
  assert.match(message({ requests: 1, wait: '0s' }), /^wait: must be from 1ms to 10m/)
  assert.match(message({ requests: NaN }), /^requests: must be a whole number/)
  assert.match(message(null), /./)
})
