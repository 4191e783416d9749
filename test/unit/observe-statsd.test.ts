// vulcand's metrics (facts/vulcand.md 7.3): names, gauges, and datagrams that fit a packet.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  createStatsdGauges,
  toDatagrams,
  type StatsdObjects,
} from '../../src/observe/metrics/statsd.ts'
import { TrafficWindows } from '../../src/observe/reports/traffic-window.ts'
import { COUNT, COUNTERS } from '../../src/scoreboard/layout.ts'

interface Stage {
  readonly counts: Map<number, Float64Array>
  /** Lines of one second. */
  take(objects: Partial<StatsdObjects>, afterMs?: number): string[]
}

function openStage(form: { prefix?: string; tags?: boolean } = {}): Stage {
  const counts = new Map<number, Float64Array>()
  let now = 5000
  const windows = new TrafficWindows(
    (slot, into) => into.set(counts.get(slot) ?? new Float64Array(COUNTERS)),
    () => now,
  )
  windows.take([])
  const gauges = createStatsdGauges({ prefix: '', tags: false, ...form }, windows)
  return {
    counts,
    take(objects, afterMs = 1000) {
      now += afterMs
      const datagrams = gauges.take({ frontends: [], listeners: [], ...objects })
      return datagrams.flatMap((one) => one.split('\n'))
    },
  }
}

/** So many exchanges of a status class, each in the first bucket of durations (up to 1 ms). */
function traffic(counts: Partial<Record<0 | 2 | 5, number>>): Float64Array {
  const cells = new Float64Array(COUNTERS)
  for (const [code, count] of Object.entries(counts)) cells[COUNT.status + Number(code)] = count
  cells[COUNT.duration] = Object.values(counts).reduce((sum, count) => sum + count, 0)
  return cells
}

const F1 = { id: 'shop.v1', slot: 1, isStream: false }
const LISTENER = { id: 'web', address: '127.0.0.1:8181', accepted: 3, open: 2 }

test('names are those of vulcand', () => {
  const stage = openStage({ prefix: 'lb' })
  stage.counts.set(1, traffic({ 2: 8, 5: 1, 0: 1 }))

  assert.deepEqual(stage.take({ frontends: [F1], listeners: [LISTENER] }), [
    'lb.conns.127.0.0.1_8181.new:0|g',
    'lb.conns.127.0.0.1_8181.active:2|g',
    'lb.conns.127.0.0.1_8181.closed:0|g',
    'lb.frontend.shop_v1.code.200:8|g',
    'lb.frontend.shop_v1.code.500:1|g',
    'lb.frontend.shop_v1.neterr:1|g',
    'lb.frontend.shop_v1.reqs:10|g',
    'lb.frontend.shop_v1.rtt.500:500|g',
    'lb.frontend.shop_v1.rtt.750:750|g',
    'lb.frontend.shop_v1.rtt.950:950|g',
    'lb.frontend.shop_v1.rtt.990:990|g',
    'lb.frontend.shop_v1.rtt.999:999|g',
  ])
})

test('gauges are of the last ten seconds, and become 0 once', () => {
  const stage = openStage()
  stage.counts.set(1, traffic({ 2: 4 }))
  const requests = (): string[] =>
    stage.take({ frontends: [F1] }).filter((line) => line.includes('reqs'))

  const seen = Array.from({ length: 12 }, requests)

  assert.deepEqual(seen[0], ['frontend.shop_v1.reqs:4|g'])
  assert.deepEqual(seen[9], ['frontend.shop_v1.reqs:4|g'])
  assert.deepEqual(seen[10], ['frontend.shop_v1.reqs:0|g'])
  assert.deepEqual(seen[11], [])
})

test('a frontend that is removed has gauges of 0, and a stream or an idle one has none', () => {
  const stage = openStage()
  stage.counts.set(1, traffic({ 2: 4 }))
  stage.take({ frontends: [F1] })

  assert.ok(stage.take({}).every((line) => /^frontend\.shop_v1\.[a-z0-9.]+:0\|g$/.test(line)))
  assert.deepEqual(
    stage.take({
      frontends: [
        { ...F1, isStream: true },
        { ...F1, slot: 2 },
      ],
    }),
    [],
  )
})

test('connections of a second are what came and went in it', () => {
  const stage = openStage()
  stage.take({ listeners: [LISTENER] })

  assert.deepEqual(stage.take({ listeners: [{ ...LISTENER, accepted: 10, open: 4 }] }), [
    'conns.127.0.0.1_8181.new:7|g',
    'conns.127.0.0.1_8181.active:4|g',
    'conns.127.0.0.1_8181.closed:5|g',
  ])
})

test('ids can be tags, which nothing in them ends', () => {
  const stage = openStage({ prefix: 'lb.', tags: true })
  stage.counts.set(1, traffic({ 2: 1 }))

  const lines = stage.take({ frontends: [{ ...F1, id: 'a,b|c#d\ne' }], listeners: [LISTENER] })

  assert.equal(lines[0], 'lb.conns.new:0|g|#listener:127.0.0.1:8181')
  assert.equal(lines[3], 'lb.frontend.code.200:1|g|#frontend:a_b_c_d_e')
})

test('a datagram fits a packet', () => {
  const lines = Array.from({ length: 100 }, (_, at) => `frontend.${'x'.repeat(at)}.reqs:${at}|g`)

  const datagrams = toDatagrams(lines)

  assert.ok(datagrams.every((one) => one.length <= 1440))
  assert.deepEqual(
    datagrams.flatMap((one) => one.split('\n')),
    lines,
  )
  assert.ok(datagrams.length < 6)
  assert.deepEqual(toDatagrams([]), [])
})
