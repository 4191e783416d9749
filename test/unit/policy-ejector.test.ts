import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Ejection } from '../../src/model/snapshot.ts'
import { type EjectorChange, Ejector, type EjectorServer } from '../../src/policy/health/ejector.ts'

const spec: Ejection = {
  failures: 5,
  errors: 0,
  successRate: null,
  baseMs: 30_000,
  longestMs: 300_000,
  share: 0.5,
}
const byRate: Ejection = { ...spec, failures: 0, successRate: { deviations: 2, requests: 50 } }

/** Counts as the threads do, rows and their high-water marks too. */
class Counted implements EjectorServer {
  readonly url: string
  responses = 0
  failed = 0
  errors = 0
  longestFailureStreak = 0
  longestErrorStreak = 0
  usable = true
  #failures = 0
  #bad = 0

  constructor(url: string) {
    this.url = url
  }

  good(times = 1): void {
    this.responses += times
    this.#failures = 0
    this.#bad = 0
  }

  error(times = 1): void {
    this.responses += times
    this.errors += times
    this.#failures = 0
    this.#bad += times
    this.longestErrorStreak = Math.max(this.longestErrorStreak, this.#bad)
  }

  fail(times = 1): void {
    this.failed += times
    this.#failures += times
    this.#bad += times
    this.longestFailureStreak = Math.max(this.longestFailureStreak, this.#failures)
    this.longestErrorStreak = Math.max(this.longestErrorStreak, this.#bad)
  }

  looked(): void {
    this.longestFailureStreak = 0
    this.longestErrorStreak = 0
  }
}

/** A pool that ticks every 100 ms; the servers are named a, b, c ... */
class Pool {
  now = 1e6
  readonly ejector: Ejector
  readonly servers: Counted[]

  constructor(size: number, ejection: Ejection = spec) {
    this.ejector = new Ejector(ejection)
    this.servers = Array.from({ length: size }, (_, index) => {
      return new Counted(String.fromCharCode(97 + index))
    })
    this.tick()
  }

  server(index: number): Counted {
    const server = this.servers[index]
    assert.ok(server)
    return server
  }

  tick(afterMs = 100): readonly EjectorChange[] {
    this.now += afterMs
    const changes = this.ejector.tick(this.now, this.servers)
    for (const server of this.servers) server.looked()
    return changes
  }

  /** Ticks until something changes, `before` each. */
  untilChange(withinMs: number, before: () => void = () => undefined): readonly EjectorChange[] {
    for (const end = this.now + withinMs; this.now < end;) {
      before()
      const changes = this.tick()
      if (changes.length > 0) return changes
    }
    return []
  }

  discard(): void {
    this.ejector.discard(this.servers)
    for (const server of this.servers) server.looked()
  }

  out(): string[] {
    return this.servers.map(({ url }) => url).filter((url) => this.ejector.isEjected(url))
  }
}

test('failures in a row eject a server, over several ticks too', () => {
  const pool = new Pool(4)
  pool.server(1).fail(3)
  assert.deepEqual(pool.tick(), [])
  pool.server(1).fail(2)

  assert.deepEqual(pool.tick(), [
    {
      url: 'b',
      kind: 'ejected',
      reason: 'failures',
      forMs: 30_000,
      detail: '5 gateway failures in a row',
    },
  ])
  assert.deepEqual(pool.out(), ['b'])
})

test('a good answer between failures ends the row', () => {
  const pool = new Pool(4)
  for (let round = 0; round < 10; round++) {
    pool.server(1).fail(4)
    pool.server(1).good()
    assert.deepEqual(pool.tick(), [])
  }
})

test('answers of 5xx count with failures where errors in a row are looked at', () => {
  const pool = new Pool(4, { ...spec, failures: 0, errors: 6 })
  pool.server(2).error(3)
  pool.server(2).fail(3)

  const [change] = pool.tick()

  assert.ok(change?.kind === 'ejected')
  assert.equal(change.reason, 'errors')
  assert.equal(change.detail, '6 failures or 5xx responses in a row')
})

test('what is not looked at ejects nobody', () => {
  const pool = new Pool(4, { ...spec, failures: 0 })
  pool.server(0).fail(1000)

  assert.deepEqual(pool.tick(), [])
})

test('one of four that answers half with 500 is ejected within a second', () => {
  const pool = new Pool(4, byRate)
  let turn = 0
  const load = (): void => {
    for (const [index, server] of pool.servers.entries()) {
      for (let request = 0; request < 10; request++) {
        if (index === 0 && turn++ % 2 === 0) server.error()
        else server.good()
      }
    }
  }
  for (let tick = 0; tick < 20; tick++) {
    for (const server of pool.servers) server.good(10)
    assert.deepEqual(pool.tick(), [])
  }
  const began = pool.now

  const [change] = pool.untilChange(2_000, load)

  assert.ok(change?.kind === 'ejected')
  assert.equal(change.url, 'a')
  assert.equal(change.reason, 'success-rate')
  assert.match(change.detail, /^\d+ % of \d+ requests went well, of the other servers' 100 %$/)
  assert.ok(pool.now - began <= 1_000, `took ${pool.now - began} ms`)
})

test('chance alone makes no outlier of servers that are the same, however bad all are', () => {
  const random = mulberry(7)
  for (const rate of [0.999, 0.9, 0.7, 0.5]) {
    const pool = new Pool(5, byRate)

    const changes = pool.untilChange(600_000, () => {
      for (const server of pool.servers) {
        for (let request = 0; request < 10; request++) {
          if (random() < rate) server.good()
          else server.error()
        }
      }
    })

    assert.deepEqual(changes, [], `at ${rate}`)
  }
})

test('a rate is compared only with two other servers that have enough requests', () => {
  const pool = new Pool(4, byRate)
  pool.server(3).usable = false

  const changes = pool.untilChange(4_900, () => {
    pool.server(0).error(20)
    pool.server(1).good(20)
    pool.server(2).good()
    pool.server(3).good(20)
  })

  // The third has 49 requests by now.
  assert.deepEqual(changes, [])
  pool.server(2).good()
  assert.equal(pool.tick()[0]?.url, 'a')
})

test('requests older than ten seconds are forgotten', () => {
  const pool = new Pool(3, byRate)
  pool.server(0).error(40)
  pool.tick()
  assert.deepEqual(pool.untilChange(11_000), [])

  pool.server(0).good(40)
  for (const index of [1, 2]) pool.server(index).good(100)

  assert.deepEqual(pool.tick(), [])
})

test('a server that is down by its probes is neither judged nor begins with old evidence', () => {
  const pool = new Pool(4)
  pool.server(0).usable = false
  pool.server(0).fail(4)
  assert.deepEqual(pool.tick(), [])

  pool.server(0).usable = true
  pool.server(0).fail(1)
  assert.deepEqual(pool.tick(), [])
  pool.server(0).fail(4)
  assert.equal(pool.tick()[0]?.url, 'a')
})

test('never more than the share is out, the worst go first', () => {
  const pool = new Pool(4)
  for (const [index, server] of pool.servers.entries()) server.fail(5 + index)

  assert.deepEqual(
    pool.tick().map(({ url }) => url),
    ['d', 'c'],
  )
  for (const server of pool.servers) server.fail(5)
  assert.deepEqual(pool.tick(), [])
  assert.deepEqual(pool.out(), ['c', 'd'])
})

test('gateway failures are worse than errors, and those than a low rate', () => {
  const pool = new Pool(8, { ...byRate, failures: 5, errors: 50, share: 0.25 })
  for (const server of pool.servers.slice(3)) server.good(60)
  pool.server(0).error(49)
  pool.server(0).good(11)
  pool.server(1).error(60)
  pool.server(2).fail(5)

  const reasons = pool.tick().map((change) => change.kind === 'ejected' && change.reason)

  assert.deepEqual(reasons, ['failures', 'errors'])
})

test('a pool of one never ejects, a pool of two ejects one', () => {
  const one = new Pool(1)
  one.server(0).fail(100)
  assert.deepEqual(one.tick(), [])

  const two = new Pool(2)
  for (const server of two.servers) server.fail(100)
  assert.equal(two.tick().length, 1)
})

test('a pool that shrinks gives back those that are too many', () => {
  const pool = new Pool(4)
  pool.server(0).fail(5)
  pool.tick()
  pool.server(1).fail(5)
  pool.tick()
  assert.deepEqual(pool.out(), ['a', 'b'])

  pool.servers.splice(2)

  assert.deepEqual(pool.tick(), [{ url: 'a', kind: 'returned' }])
  assert.deepEqual(pool.out(), ['b'])
})

test('one that comes back is out as long as before, and its next ejection is as long as it would have been', () => {
  const pool = new Pool(4)
  pool.server(0).fail(5)
  pool.tick()
  const [away] = pool.servers.splice(0, 1)
  assert.ok(away)
  const memory = pool.ejector.remove('a')
  assert.equal(pool.ejector.ejected, 0)
  pool.tick(10_000)

  pool.servers.push(away)
  pool.tick()
  if (memory !== null) pool.ejector.restore('a', memory)

  assert.deepEqual(pool.out(), ['a'])
  const began = pool.now
  assert.deepEqual(pool.untilChange(30_000), [{ url: 'a', kind: 'returned' }])
  assert.ok(pool.now - began <= 20_000, `took ${pool.now - began} ms`)
  away.fail(5)
  const [change] = pool.tick()
  assert.equal(change?.kind === 'ejected' && change.forMs, 60_000)
})

test('one whose time ends while it is away returns with the next tick', () => {
  const pool = new Pool(4)
  pool.server(0).fail(5)
  pool.tick()
  const away = pool.servers.shift()
  assert.ok(away)
  const memory = pool.ejector.remove('a')
  pool.tick(40_000)

  pool.servers.push(away)
  pool.tick()
  if (memory !== null) pool.ejector.restore('a', memory)

  assert.deepEqual(pool.tick(), [{ url: 'a', kind: 'returned' }])
})

test('one that comes back and finds no room is in service, and quiet from then on', () => {
  const pool = new Pool(4)
  pool.server(0).fail(5)
  pool.tick()
  const away = pool.servers.shift()
  assert.ok(away)
  const memory = pool.ejector.remove('a')
  pool.ejector.update({ ...spec, share: 0 })
  pool.tick(25_000)
  pool.servers.push(away)
  pool.tick()
  if (memory !== null) pool.ejector.restore('a', memory)
  assert.deepEqual(pool.out(), [])

  pool.ejector.update(spec)
  pool.tick(20_000)
  away.fail(5)
  const [change] = pool.tick()

  assert.equal(change?.kind === 'ejected' && change.forMs, 60_000)
})

test('however servers leave and come back, never more than the share is out', () => {
  const step = fc.record({
    at: fc.nat(5),
    does: fc.constantFrom('fail', 'leave', 'comeBack', 'discard'),
    afterMs: fc.integer({ min: 1, max: 20_000 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const pool = new Pool(6)
      const away = new Map<string, [Counted, ReturnType<Ejector['remove']>]>()
      for (const { at, does, afterMs } of steps) {
        const server = pool.servers[at]
        const isHeldUp = does === 'discard'
        if (does === 'fail') server?.fail(5)
        if (does === 'leave' && server !== undefined) {
          pool.servers.splice(at, 1)
          away.set(server.url, [server, pool.ejector.remove(server.url)])
        }
        const [back] = does === 'comeBack' || isHeldUp ? away.values() : []
        if (back !== undefined) pool.servers.push(back[0])
        if (isHeldUp) pool.discard()
        else pool.tick(afterMs)
        if (back !== undefined) {
          const [{ url }, memory] = back
          away.delete(url)
          if (memory !== null) pool.ejector.restore(url, memory)
        }

        const most = Math.floor(pool.servers.length / 2)
        assert.equal(pool.out().length, pool.ejector.ejected)
        assert.ok(pool.out().length <= most, `${pool.out().length} of ${most}`)
      }
    }),
  )
})

test('when ejection is switched off all return at once', () => {
  const pool = new Pool(4)
  pool.server(0).fail(5)
  pool.tick()
  pool.ejector.update({ ...spec, failures: 0, errors: 3 })
  assert.deepEqual(pool.tick(), [])

  pool.ejector.update({ ...spec, failures: 0 })

  assert.deepEqual(pool.tick(), [{ url: 'a', kind: 'returned' }])
  assert.deepEqual(pool.out(), [])
})

test('a server returns when its time is over, and old rows do not eject it again', () => {
  const pool = new Pool(4)
  pool.server(0).fail(5)
  pool.tick()

  // Requests that were under way when it was ejected.
  const changes = pool.untilChange(31_000, () => pool.server(0).fail(1))

  assert.deepEqual(changes, [{ url: 'a', kind: 'returned' }])
  pool.server(0).fail(1)
  assert.deepEqual(pool.tick(), [])
  pool.server(0).fail(4)
  assert.equal(pool.tick()[0]?.kind, 'ejected')
})

test('each further ejection takes as long again, up to the longest', () => {
  const pool = new Pool(4, { ...spec, longestMs: 80_000 })
  const times: number[] = []
  for (let round = 0; round < 5; round++) {
    pool.server(0).fail(5)
    const [change] = pool.tick()
    assert.ok(change?.kind === 'ejected')
    times.push(change.forMs)
    const began = pool.now
    assert.equal(pool.untilChange(100_000)[0]?.kind, 'returned')
    assert.ok(Math.abs(pool.now - began - change.forMs) <= 100)
  }

  assert.deepEqual(times, [30_000, 60_000, 80_000, 80_000, 80_000])
})

test('each quiet time as long as the last ejection takes one back', () => {
  const pool = new Pool(4)
  const eject = (): number => {
    pool.server(0).fail(5)
    const [change] = pool.tick()
    assert.ok(change?.kind === 'ejected')
    pool.untilChange(400_000)
    return change.forMs
  }
  assert.deepEqual([eject(), eject(), eject()], [30_000, 60_000, 90_000])

  assert.deepEqual(pool.untilChange(90_100), [])
  assert.equal(eject(), 90_000)
  // 90 s for the third, 60 s for the second, 30 s for the first.
  assert.deepEqual(pool.untilChange(180_100), [])
  assert.equal(eject(), 30_000)
})

test('what was counted during a hold-up is no evidence once it is discarded', () => {
  const pool = new Pool(4, { ...byRate, failures: 5, errors: 5 })
  for (let tick = 0; tick < 10; tick++) {
    for (const server of pool.servers) server.good(10)
    assert.deepEqual(pool.tick(), [])
  }
  pool.server(0).fail(500)
  pool.server(1).error(500)
  pool.now += 600
  pool.discard()

  assert.deepEqual(pool.tick(), [])
  // The row goes on, but counts only as far as it has come since.
  pool.server(0).fail(4)
  assert.deepEqual(pool.tick(), [])
  pool.server(0).fail(1)
  assert.equal(pool.tick()[0]?.url, 'a')
})

test('an hour that time jumps over ejects nobody', () => {
  const pool = new Pool(4, { ...byRate, failures: 5, errors: 5 })
  for (let round = 0; round < 5; round++) {
    pool.server(round % 4).fail(500)
    pool.server((round + 1) % 4).error(500)
    for (const server of pool.servers) server.good(100)

    assert.deepEqual(pool.tick(3_600_000), [])
    assert.deepEqual(pool.tick(), [])
  }
  pool.server(0).fail(500)
  assert.deepEqual(pool.tick(-3_600_000), [])
})

test('a quiet time that is skipped is no gap', () => {
  const pool = new Pool(4)
  pool.server(0).fail(4)
  assert.deepEqual(pool.tick(), [])
  for (let skipped = 0; skipped < 100; skipped++) pool.ejector.skip((pool.now += 100))

  pool.server(0).fail(1)

  assert.equal(pool.tick()[0]?.url, 'a')
})

test('a new server begins with what is counted then, one that is gone is forgotten', () => {
  const pool = new Pool(4)
  const late = new Counted('late')
  late.fail(500)
  pool.servers.push(late)
  assert.deepEqual(pool.tick(), [])
  late.fail(5)
  assert.equal(pool.tick()[0]?.url, 'late')
  assert.equal(pool.ejector.ejected, 1)

  pool.servers.pop()
  pool.tick()

  assert.equal(pool.ejector.isEjected('late'), false)
  assert.equal(pool.ejector.ejected, 0)
})

test('sums that shrink are a new beginning', () => {
  const pool = new Pool(4)
  pool.server(0).good(1000)
  pool.tick()
  pool.servers[0] = new Counted('a')
  pool.server(0).fail(500)

  assert.deepEqual(pool.tick(), [])
})

test('a change of the rules holds from the next tick, for those that are out too', () => {
  const pool = new Pool(4)
  for (const index of [0, 1]) pool.server(index).fail(5)
  pool.tick()

  pool.ejector.update({ ...spec, share: 0.25, failures: 2 })

  assert.equal(pool.tick()[0]?.kind, 'returned')
  assert.equal(pool.ejector.ejected, 1)
})

test('whatever is counted, the share holds and every change is told once', () => {
  const counts = fc.record({
    server: fc.nat(9),
    good: fc.nat(60),
    errors: fc.nat(60),
    failed: fc.nat(12),
    usable: fc.boolean(),
  })
  const step = fc.record({
    afterMs: fc.constantFrom(100, 100, 100, 250, 900, 5_000, 3_600_000),
    counts: fc.array(counts, { maxLength: 10 }),
    discarded: fc.boolean(),
    size: fc.option(fc.nat(10)),
  })
  const rules = fc.record({
    failures: fc.nat(6),
    errors: fc.nat(6),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    baseMs: fc.integer({ min: 1, max: 2_000 }),
    longestMs: fc.integer({ min: 1, max: 5_000 }),
    successRate: fc.option(
      fc.record({ deviations: fc.double({ min: 0.1, max: 4, noNaN: true }), requests: fc.nat(50) }),
    ),
  })
  fc.assert(
    fc.property(rules, fc.array(step, { maxLength: 60 }), (ejection, steps) => {
      const pool = new Pool(10, ejection)
      const everyone = [...pool.servers]
      let out: string[] = []
      for (const { afterMs, counts, discarded, size } of steps) {
        if (size !== null) pool.servers.splice(0, 10, ...everyone.slice(0, size))
        for (const { server, good, errors, failed, usable } of counts) {
          const counted = everyone[server]
          assert.ok(counted)
          counted.usable = usable
          counted.error(errors)
          counted.good(good)
          counted.fail(failed)
        }
        if (discarded) pool.discard()
        const here = new Set(pool.servers.map(({ url }) => url))
        out = out.filter((url) => here.has(url))
        for (const change of pool.tick(afterMs)) {
          if (change.kind === 'returned') {
            assert.ok(out.includes(change.url))
            out = out.filter((url) => url !== change.url)
          } else {
            assert.ok(!out.includes(change.url))
            assert.ok(change.forMs > 0 && change.forMs <= ejection.longestMs)
            assert.ok(!discarded && afterMs <= 1_000)
            out.push(change.url)
          }
        }
        assert.deepEqual(pool.out(), [...out].sort())
        assert.equal(pool.ejector.ejected, out.length)
        assert.ok(out.length <= ejection.share * here.size + 1e-6)
      }
    }),
    { numRuns: 300 },
  )
})

/** A seeded source of chance. */
function mulberry(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

test('after a quiet time rows count at once, and what went well meanwhile says nothing of now', () => {
  const pool = new Pool(4, { ...spec, successRate: { deviations: 2, requests: 50 } })
  for (const server of pool.servers) server.good(100_000)
  pool.server(1).fail(5)
  pool.now += 600_000

  pool.ejector.skip(pool.now)
  const rows = pool.tick(0)
  for (let tick = 0; tick < 10; tick++) {
    for (const server of pool.servers.slice(2)) server.good(10)
    pool.server(0).good(5)
    pool.server(0).error(5)
  }
  const rates = pool.untilChange(300, () => undefined)

  assert.deepEqual(
    rows.map(({ url }) => url),
    ['b'],
  )
  assert.deepEqual(
    rates.map(({ url }) => url),
    ['a'],
  )
})
