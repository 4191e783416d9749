// Issue: Consul: "traefik.* tags, split at first =", Weights, Meta, maintenance. What Consul says of a service, without a Consul.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { createPace } from '../../src/providers/consul-api/pace.ts'
import type { HttpClient } from '../../src/providers/http-client/http-client.ts'
import { createByChecks } from '../../src/providers/consul/by-checks.ts'
import { createServiceTable } from '../../src/providers/consul/service-table.ts'
import { readInstances, type InstanceRules } from '../../src/providers/consul/instances.ts'
import { isOurs, labelsOf } from '../../src/providers/consul/tags.ts'
import { consulSource } from '../support/consul-source.ts'
import { eventually } from '../support/until.ts'

const RULES: InstanceRules = { strictChecks: ['passing', 'warning'], prefix: 'traefik' }

test('a tag is split at its first =, and one without is empty', () => {
  const labels = labelsOf(
    ['traefik.http.routers.a.rule=Path(`/a=b`)', 'canary', ' x = y '],
    {},
    'traefik',
  )

  assert.deepEqual(
    [...labels],
    [
      ['traefik.http.routers.a.rule', 'Path(`/a=b`)'],
      ['canary', ''],
      ['x', ' y '],
    ],
  )
})

test("tags with the option's prefix are Traefik's, and Traefik's own are not read then", () => {
  const tags = ['Edge.enable=true', 'traefik.enable=false']

  const labels = labelsOf(tags, { edge_x: '1', traefik_x: '2' }, 'edge')

  assert.deepEqual(isOurs(['edge.enable=true'], 'edge'), true)
  assert.deepEqual(isOurs(['traefik.enable=true'], 'edge'), false)
  assert.deepEqual(
    [...labels],
    [
      ['traefik.x', '1'],
      ['traefik.enable', 'true'],
    ],
  )
})

test('only whole words before a dot or = are tags of ours', () => {
  const ours = ['sluice', 'sluice=1', 'sluice.host=a', 'Traefik.enable=true', ' urlprefix-a/']
  const others = ['sluicebox.x', 'traefik-x', 'x-sluice.host', 'urlprefix', '']

  for (const tag of ours) assert.ok(isOurs([tag], 'traefik'), tag)
  for (const tag of others) assert.ok(!isOurs([tag], 'traefik'), tag)
})

test('an instance has the worst status of its checks and those of its node', () => {
  const statuses: readonly (readonly [checks: unknown, serves: boolean])[] = [
    [[], true],
    [[{ Status: 'passing' }, { Status: 'warning' }], true],
    [[{ Status: 'critical' }, { Status: 'warning' }], false],
    [[{ Status: 'a later version' }], false],
    [[{ CheckID: '_node_maintenance', Status: 'critical' }], false],
    ['nonsense', true],
  ]

  const served = statuses.map(([Checks]) => {
    const entry = {
      Node: { Node: 'n', Address: '10.0.0.1' },
      Service: { Service: 's', Port: 1 },
      Checks,
    }
    const { instances } = readInstances([entry], RULES, null, new Map())
    return [...instances.values()][0]?.item.isServing
  })

  assert.deepEqual(
    served,
    statuses.map(([, serves]) => serves),
  )
})

test('an instance is the same object until something of it changes', () => {
  const entry = (port: number, Output: string): object => ({
    Node: { Node: 'n', Address: '10.0.0.1' },
    Service: { Service: 's', ID: 's', Port: port },
    Checks: [{ Status: 'passing', Output }],
  })
  const { instances: first } = readInstances([entry(1, 'a')], RULES, null, new Map())

  const { instances: same } = readInstances([entry(1, 'b')], RULES, null, first)
  const { instances: other } = readInstances([entry(2, 'b')], RULES, null, first)

  assert.equal(same.get('n:s'), first.get('n:s'))
  assert.notEqual(other.get('n:s')?.item, first.get('n:s')?.item)
})

test('entries of any form are instances or are counted, and throw nothing', () => {
  const entry = fc.record(
    {
      Node: fc.oneof(fc.jsonValue(), fc.record({ Node: fc.jsonValue(), Address: fc.jsonValue() })),
      Service: fc.oneof(
        fc.jsonValue(),
        fc.record({
          Service: fc.oneof(fc.string(), fc.jsonValue()),
          ID: fc.jsonValue(),
          Port: fc.jsonValue(),
          Tags: fc.jsonValue(),
          Meta: fc.jsonValue(),
          Weights: fc.jsonValue(),
        }),
      ),
      Checks: fc.jsonValue(),
    },
    { requiredKeys: [] },
  )

  fc.assert(
    fc.property(fc.array(fc.oneof(entry, fc.jsonValue()), { maxLength: 8 }), (entries) => {
      const { instances, unreadable } = readInstances(entries, RULES, null, new Map())
      assert.ok(instances.size + unreadable <= entries.length)
      for (const { item } of instances.values()) {
        assert.ok(item.ports.every((port) => port >= 1 && port <= 65_535))
        assert.ok(item.weight === undefined || (item.weight >= 0 && item.weight <= 1_000))
      }
    }),
  )
})

test('reads of a large resource take 15 % of the thread, and the first after a quiet time never waits', () => {
  let now = 0
  const pace = createPace(() => now)
  let busyMs = 0

  now += 60_000
  const first = pace.restAfter(50)
  for (const end = now + 60_000; now < end;) {
    now += 50
    busyMs += 50
    now += pace.restAfter(50)
  }

  assert.equal(first, 20)
  assert.ok(busyMs / 60_000 < 0.16, `${busyMs} ms`)
})

test('a refresh waits for reads that begin after it, not for those in progress', async (t) => {
  const ending = new AbortController()
  t.after(() => ending.abort())
  const reads: (() => void)[] = []
  const reader = createByChecks(
    {
      client: withoutChecks(),
      access: consulSource([]),
      table: {
        ...createServiceTable({ ...RULES, readsAll: true, where: null }, () => {}),
        names: new Set(['web']),
      },
      signal: ending.signal,
      now: () => 0,
      readOnce: () => new Promise((resolve) => reads.push(() => resolve(0))),
    },
    () => {},
  )
  await eventually(() => reads.length === 1, 'the first read')
  let isRefreshed = false

  const refreshed = reader.refresh().then(() => (isRefreshed = true))
  reads[0]?.()
  await eventually(() => reads.length === 2, 'the second read')
  const wasRefreshed = isRefreshed
  reads[1]?.()
  await refreshed

  assert.equal(wasRefreshed, false)
})

/** A Consul without checks, whose responses have no index. */
function withoutChecks(): HttpClient {
  const text = (): ReturnType<HttpClient['text']> =>
    Promise.resolve({ status: 200, headers: {}, body: '[]' })
  return { origin: '', text } as unknown as HttpClient
}
