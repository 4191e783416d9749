import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createInventory } from '../../src/control/sources/inventory.ts'
import type { Inventory } from '../../src/control/sources/inventory.ts'
import type { DeclaredObject } from '../../src/providers/provider.ts'
import { changesOf, declared, frontends, listOf, namesOf } from '../support/source-objects.ts'

function openInventory(objects: readonly DeclaredObject[] = []): Inventory {
  const inventory = createInventory({ shrink: { holdMs: 10_000, share: 0.5, allowEmpty: false } })
  inventory.take(listOf(objects), 0)
  return inventory
}

/** The server is deleted and put again at each of the times. */
function flap(inventory: Inventory, server: DeclaredObject, times: readonly number[]): void {
  for (const at of times) {
    inventory.take(changesOf({ deletes: [server] }), at)
    inventory.take(changesOf({ upserts: [server] }), at)
  }
}

const one = declared('server', 'b/one', 'http://10.0.0.1')
const two = declared('server', 'b/two', 'http://10.0.0.2')

test('answers the names that a list makes different, each once', () => {
  const inventory = openInventory([...frontends(4), declared('backend', 'b', { balance: 'x' })])

  const different = inventory.take(
    listOf([...frontends(4, 2), declared('backend', 'b', { balance: 'y' })]),
    1,
  )

  assert.deepEqual(namesOf(different), ['backend b', 'frontend f1', 'frontend f5'])
})

test('answers the names of what a change makes different, and reads nothing else', () => {
  const inventory = openInventory(frontends(4))
  const changed = declared('frontend', 'f1', { route: 'Host("a")' })

  const different = inventory.take(
    changesOf({ upserts: [changed, declared('frontend', 'f2')], deletes: frontends(1, 3) }),
    1,
  )

  assert.deepEqual(namesOf(different), ['frontend f1', 'frontend f3'])
  assert.deepEqual([...inventory.objects('frontend').keys()], ['f1', 'f2', 'f4'])
})

test('takes a fault and remarks for differences', () => {
  const inventory = openInventory(frontends(3))
  const [first, second, third] = frontends(3)
  assert.ok(first && second && third)

  const different = inventory.take(
    listOf([
      { ...first, fault: 'is not JSON' },
      { ...second, remarks: ['Tls is not honoured'] },
      third,
    ]),
    1,
  )

  assert.deepEqual(namesOf(different), ['frontend f1', 'frontend f2'])
})

test('takes over the new position of an equal object without reporting a change', () => {
  const inventory = openInventory([declared('backend', 'b', { servers: {} })])
  const moved = {
    ...declared('backend', 'b', { servers: {} }),
    key: 'b.yaml#/b',
    line: 7,
    revision: '9',
  }

  const different = inventory.take(listOf([moved]), 1)

  assert.deepEqual(different, [])
  assert.equal(inventory.objects('backend').get('b'), moved)
})

test('ignores the delete of what it does not know', () => {
  const inventory = openInventory(frontends(1))

  assert.deepEqual(inventory.take(changesOf({ deletes: frontends(2, 2) }), 1), [])
})

test('keeps ids apart that are names of something in JavaScript', () => {
  const inventory = openInventory([
    declared('frontend', '__proto__'),
    declared('backend', 'constructor'),
  ])

  const different = inventory.take(changesOf({ deletes: [declared('frontend', '__proto__')] }), 1)

  assert.deepEqual(namesOf(different), ['frontend __proto__'])
  assert.deepEqual([...inventory.objects('backend').keys()], ['constructor'])
})

test('has a server wait that came back too often, until its time is over', () => {
  const inventory = openInventory([one, two])
  flap(inventory, one, [1000, 2000, 3000, 4000])
  const meanwhile = [...inventory.objects('server').keys()]

  const due = [inventory.nextDueAt(), inventory.due(4999), namesOf(inventory.due(5000))]

  assert.deepEqual(meanwhile, ['b/two'])
  assert.deepEqual(due, [5000, [], ['server b/one']])
  assert.deepEqual([...inventory.objects('server').keys()], ['b/two', 'b/one'])
  assert.equal(inventory.nextDueAt(), null)
  assert.equal(inventory.flaps, 4)
})

test('brings in the version of a server that was put last while it waited', () => {
  const inventory = openInventory([one, two])
  flap(inventory, one, [1000, 2000, 3000, 4000])
  const heavier = declared('server', 'b/one', { url: 'http://10.0.0.1', weight: 2 })

  const different = inventory.take(changesOf({ upserts: [heavier] }), 4500)
  inventory.due(5000)

  assert.deepEqual(different, [])
  assert.equal(inventory.objects('server').get('b/one'), heavier)
})

test('forgets a server that is deleted while it waits', () => {
  const inventory = openInventory([one, two])
  flap(inventory, one, [1000, 2000, 3000, 4000])

  const different = inventory.take(changesOf({ deletes: [one] }), 4500)

  assert.deepEqual(different, [])
  assert.deepEqual(inventory.due(60_000), [])
})

test('has no server wait that is the only one of its backend', () => {
  const inventory = openInventory([one, declared('server', 'c/other', 'http://10.0.0.3')])

  flap(inventory, one, [1000, 2000, 3000, 4000, 5000])

  assert.ok(inventory.objects('server').has('b/one'))
})

test('ends the wait when the last other server goes', () => {
  const inventory = openInventory([one, two])
  flap(inventory, one, [1000, 2000, 3000, 4000])

  const different = inventory.take(changesOf({ deletes: [two] }), 4500)

  assert.deepEqual(namesOf(different), ['server b/one', 'server b/two'])
  assert.deepEqual([...inventory.objects('server').keys()], ['b/one'])
})

test('counts the servers inside a backend as others, and no server that is held or cannot be read', () => {
  const inside = openInventory([
    declared('backend', 'b', { servers: { s: 'http://10.0.0.9' } }),
    one,
  ])
  const broken = openInventory([{ ...two, value: undefined, fault: 'is not JSON' }, one])
  const held = openInventory([two, one, ...frontends(1)])
  held.take(listOf(frontends(1)), 500)
  held.take(changesOf({ upserts: [one] }), 600)

  const stripped = openInventory([
    declared('backend', 'b', { servers: { s: 'http://10.0.0.9' } }),
    ...frontends(4),
  ])
  stripped.take(listOf([declared('backend', 'b'), ...frontends(4)]), 500)
  stripped.take(changesOf({ upserts: [one] }), 600)

  for (const inventory of [inside, broken, held, stripped])
    flap(inventory, one, [1000, 2000, 3000, 4000])

  assert.equal(held.held()?.objects, 1)
  assert.equal(stripped.held()?.objects, 1)
  assert.deepEqual(
    [inside, broken, held, stripped].map((each) => each.objects('server').has('b/one')),
    [false, true, true, true],
  )
})

test('has no server wait for ever after the clock was set back', () => {
  const inventory = openInventory([one, two])
  flap(
    inventory,
    one,
    [1000, 2000, 3000, 4000].map((at) => at + 3_600_000),
  )

  assert.deepEqual(namesOf(inventory.due(0)), ['server b/one'])
})

test('damps servers that lists bring back as well', () => {
  const inventory = openInventory([one, two, declared('server', 'b/three')])
  const without = listOf([two, declared('server', 'b/three')])
  for (const at of [1000, 2000, 3000, 4000]) {
    inventory.take(without, at)
    inventory.take(listOf([one, two, declared('server', 'b/three')]), at)
  }

  assert.equal(inventory.objects('server').has('b/one'), false)
  assert.equal(inventory.nextDueAt(), 5000)
})
