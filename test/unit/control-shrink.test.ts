import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createInventory } from '../../src/control/sources/inventory.ts'
import type { Inventory } from '../../src/control/sources/inventory.ts'
import type { ShrinkSettings } from '../../src/model/settings.ts'
import type { DeclaredObject } from '../../src/providers/provider.ts'
import { changesOf, declared, frontends, listOf, namesOf } from '../support/source-objects.ts'

const holdMs = 10_000

/** That has heard of the objects, at time 0. */
function openInventory(
  objects: readonly DeclaredObject[],
  shrink: Partial<ShrinkSettings> = {},
): Inventory {
  const inventory = createInventory({
    shrink: { holdMs, share: 0.5, allowEmpty: false, ...shrink },
  })
  inventory.take(listOf(objects), 0)
  return inventory
}

function frontendIds(inventory: Inventory): string[] {
  return [...inventory.objects('frontend').keys()].sort()
}

test('holds everything when a list is empty, and says so', () => {
  const inventory = openInventory(frontends(12))

  const different = inventory.take(listOf([]), 1000)

  assert.deepEqual(different, [])
  assert.equal(inventory.objects('frontend').size, 12)
  assert.deepEqual(inventory.held(), {
    objects: 12,
    since: 1000,
    until: 11_000,
    reason: 'the source is empty (12 objects before)',
  })
})

test('holds the removal of half of the objects, and accepts that of fewer', () => {
  const half = openInventory(frontends(4))
  const less = openInventory(frontends(5))

  half.take(listOf(frontends(2)), 1000)
  const different = less.take(listOf(frontends(3)), 1000)

  assert.equal(half.objects('frontend').size, 4)
  assert.equal(half.held()?.reason, '2 of 4 objects vanished at once')
  assert.deepEqual(namesOf(different), ['frontend f4', 'frontend f5'])
  assert.equal(less.objects('frontend').size, 3)
  assert.equal(less.held(), null)
})

test('takes the share from the settings', () => {
  const inventory = openInventory(frontends(10), { share: 0.2 })

  inventory.take(listOf(frontends(8)), 1000)

  assert.equal(inventory.held()?.objects, 2)
})

test('accepts new and changed objects of a list whose removals are held', () => {
  const inventory = openInventory(frontends(4))

  const different = inventory.take(
    listOf([declared('frontend', 'f1', { route: 'Host("new")' }), declared('backend', 'b')]),
    1000,
  )

  assert.deepEqual(namesOf(different), ['backend b', 'frontend f1'])
  assert.deepEqual(inventory.objects('frontend').get('f1')?.value, { route: 'Host("new")' })
  assert.equal(inventory.held()?.objects, 3)
})

test('removes a held object only when a list after the hold time still lacks it', () => {
  const inventory = openInventory(frontends(4))
  inventory.take(listOf([]), 1000)

  const early = inventory.take(listOf([], 'reconcile'), 10_999)
  const asked = [inventory.needsList(10_999), inventory.nextDueAt(), inventory.needsList(11_000)]
  const alone = inventory.due(11_000)
  const late = inventory.take(listOf([], 'asked'), 11_200)

  assert.deepEqual(early, [])
  assert.deepEqual(asked, [false, 11_000, true])
  assert.deepEqual(alone, [])
  assert.equal(late.length, 4)
  assert.equal(inventory.objects('frontend').size, 0)
  assert.equal(inventory.held(), null)
  assert.equal(inventory.nextDueAt(), null)
})

test('asks for the second list again when none comes', () => {
  const inventory = openInventory(frontends(4))
  inventory.take(listOf([]), 1000)

  const asked = [11_000, 11_001, 15_999, 16_000].map((at) => inventory.needsList(at))

  assert.deepEqual(asked, [true, false, false, true])
  assert.equal(inventory.nextDueAt(), 21_000)
})

test('holds no longer what a list has again, and goes on holding the rest', () => {
  const inventory = openInventory(frontends(4))
  inventory.take(listOf([]), 1000)

  const different = inventory.take(listOf(frontends(3)), 2000)
  const rest = inventory.held()
  inventory.take(listOf(frontends(4)), 3000)

  assert.deepEqual(different, [])
  assert.equal(rest?.objects, 1)
  assert.equal(rest.until, 11_000)
  assert.equal(inventory.held(), null)
  assert.equal(inventory.needsList(11_000), false)
})

test('gives what vanishes later a time of its own', () => {
  const inventory = openInventory(frontends(8))
  inventory.take(listOf(frontends(4)), 1000)
  inventory.take(listOf([]), 6000)

  const first = inventory.take(listOf([]), 11_000)
  const since = inventory.held()?.since
  const second = inventory.take(listOf([]), 16_000)

  assert.deepEqual(namesOf(first), namesOf(frontends(4, 5)))
  assert.equal(since, 6000)
  assert.deepEqual(namesOf(second), namesOf(frontends(4)))
})

test('asks for each second list at its own time', () => {
  const inventory = openInventory(frontends(8))
  inventory.take(listOf(frontends(4)), 1000)
  inventory.take(listOf([]), 2000)
  const first = inventory.needsList(11_000)
  inventory.take(listOf([]), 11_100)

  const second = [inventory.nextDueAt(), inventory.needsList(11_999), inventory.needsList(12_000)]

  assert.equal(first, true)
  assert.deepEqual(second, [12_000, false, true])
})

test('waits for an operator where the settings say so', () => {
  const inventory = openInventory(frontends(4), { holdMs: null })
  inventory.take(listOf([]), 1000)
  inventory.take(listOf([]), 1_000_000)
  const waiting = [inventory.held()?.until, inventory.nextDueAt(), inventory.needsList(2_000_000)]

  const different = inventory.confirm(2_000_000)

  assert.deepEqual(waiting, [null, null, false])
  assert.equal(different.length, 4)
  assert.equal(inventory.held(), null)
})

test('accepts everything at once where an empty source is allowed', () => {
  const inventory = openInventory(
    [declared('backend', 'b', { servers: { s: 'http://10.0.0.1' } }), ...frontends(3)],
    { allowEmpty: true },
  )

  const emptied = inventory.take(listOf([declared('backend', 'b'), ...frontends(3)]), 1000)
  const gone = inventory.take(listOf([]), 2000)

  assert.deepEqual(namesOf(emptied), ['backend b'])
  assert.equal(gone.length, 4)
})

test('compares the first list with nothing', () => {
  const inventory = openInventory([])

  assert.equal(inventory.held(), null)
  assert.equal(inventory.take(listOf(frontends(3)), 0).length, 3)
})

test('holds the servers of a backend that has lost all of them, and nothing else', () => {
  const servers = [declared('server', 'b/one'), declared('server', 'b/two')]
  const others = [declared('backend', 'b'), declared('server', 'c/one'), ...frontends(6)]
  const inventory = openInventory([...others, ...servers])

  const different = inventory.take(listOf(others.slice(0, -1)), 1000)

  assert.deepEqual(namesOf(different), ['frontend f6'])
  assert.deepEqual([...inventory.objects('server').keys()].sort(), ['b/one', 'b/two', 'c/one'])
  assert.equal(inventory.held()?.reason, 'backend "b" has lost all its servers')
})

test('holds the old version of a backend that has lost the servers inside it', () => {
  const full = declared('backend', 'b', { servers: { s: 'http://10.0.0.1' } })
  const empty = declared('backend', 'b', { servers: {}, balance: 'least-connections' })
  const inventory = openInventory([full, ...frontends(6)])

  const different = inventory.take(listOf([empty, ...frontends(6)]), 1000)
  const held = inventory.objects('backend').get('b')
  const confirmed = inventory.take(listOf([empty, ...frontends(6)]), 11_000)

  assert.deepEqual(different, [])
  assert.deepEqual(held, full)
  assert.deepEqual(namesOf(confirmed), ['backend b'])
  assert.deepEqual(inventory.objects('backend').get('b'), empty)
  assert.equal(inventory.held(), null)
})

test('does not take a backend for back that is back without its servers', () => {
  const full = declared('backend', 'b', { servers: { s: 'http://10.0.0.1' } })
  const inventory = openInventory([full])
  inventory.take(listOf([]), 1000)

  inventory.take(listOf([declared('backend', 'b')]), 2000)
  const meanwhile = inventory.objects('backend').get('b')
  inventory.take(listOf([declared('backend', 'b')]), 11_000)

  assert.deepEqual(meanwhile, full)
  assert.deepEqual(inventory.objects('backend').get('b'), declared('backend', 'b'))
})

test('holds nothing of a backend whose servers have moved to keys of their own, or that is malformed', () => {
  const servers = { servers: { s: 'http://10.0.0.1' } }
  const inventory = openInventory([
    declared('backend', 'moved', servers),
    declared('backend', 'broken', servers),
    ...frontends(6),
  ])
  const broken = { ...declared('backend', 'broken', undefined), fault: 'is not JSON' }

  inventory.take(
    listOf([declared('backend', 'moved'), declared('server', 'moved/s'), broken, ...frontends(6)]),
    1000,
  )

  assert.equal(inventory.held(), null)
  assert.equal(inventory.objects('backend').get('broken'), broken)
})

test('accepts deletes on a live stream at once, the last server of a backend too', () => {
  const inventory = openInventory([
    declared('backend', 'b'),
    declared('server', 'b/s'),
    ...frontends(2),
  ])

  const different = inventory.take(
    changesOf({ deletes: [declared('server', 'b/s'), ...frontends(2)] }),
    1000,
  )

  assert.equal(different.length, 3)
  assert.equal(inventory.held(), null)
})

test('holds a burst of deletes that takes more than half of the objects', () => {
  const inventory = openInventory(frontends(39))

  const different = inventory.take(changesOf({ deletes: frontends(20) }), 1000)

  assert.deepEqual(different, [])
  assert.deepEqual(inventory.held(), {
    objects: 20,
    since: 1000,
    until: 11_000,
    reason: '20 of 39 objects were deleted within a second',
  })
})

test('holds nothing of a source that runs its servers, once they have stopped', () => {
  const inventory = openInventory(frontends(39))

  const different = inventory.take(changesOf({ deletes: frontends(39), haveStopped: true }), 1000)

  assert.equal(different.length, 39)
  assert.equal(inventory.held(), null)
})

test('accepts deletes of half of the objects, of fewer than twenty, or slower than a second', () => {
  const half = openInventory(frontends(40))
  const few = openInventory(frontends(20))
  const slow = openInventory(frontends(40))

  half.take(changesOf({ deletes: frontends(20) }), 1000)
  few.take(changesOf({ deletes: frontends(19) }), 1000)
  for (const [at, frontend] of frontends(40).entries()) {
    slow.take(changesOf({ deletes: [frontend] }), 1000 + at * 60)
  }

  assert.equal(half.objects('frontend').size, 20)
  assert.equal(few.objects('frontend').size, 1)
  assert.equal(slow.objects('frontend').size, 0)
})

test('brings back the first of a burst once it is one', () => {
  const inventory = openInventory(frontends(30))
  const before = inventory.take(changesOf({ deletes: frontends(15) }), 1000)

  const different = inventory.take(changesOf({ deletes: frontends(5, 16) }), 1999)

  assert.equal(before.length, 15)
  assert.deepEqual(namesOf(different), namesOf(frontends(15)))
  assert.equal(inventory.objects('frontend').size, 30)
  assert.equal(inventory.held()?.objects, 20)
})

test('confirms a burst by a list that comes after the time is over', () => {
  const inventory = openInventory(frontends(30))
  inventory.take(changesOf({ deletes: frontends(29, 2) }), 1000)
  inventory.take(listOf(frontends(1)), 5000)
  const held = inventory.held()?.objects

  inventory.take(listOf(frontends(1)), 11_000)

  assert.equal(held, 29)
  assert.deepEqual(frontendIds(inventory), ['f1'])
})

test('accepts single deletes while something is held', () => {
  const inventory = openInventory(frontends(8))
  inventory.take(listOf(frontends(4)), 1000)

  const different = inventory.take(changesOf({ deletes: frontends(1) }), 2000)

  assert.deepEqual(namesOf(different), ['frontend f1'])
  assert.equal(inventory.held()?.objects, 4)
})

test('a live put replaces a held object, and a live delete of it confirms nothing', () => {
  const inventory = openInventory(frontends(4))
  inventory.take(listOf([]), 1000)
  const put = declared('frontend', 'f1', { route: 'Host("new")' })

  const deleted = inventory.take(changesOf({ deletes: frontends(1) }), 2000)
  const replaced = inventory.take(changesOf({ upserts: [put] }), 3000)
  const deletedAgain = inventory.take(changesOf({ deletes: frontends(1) }), 4000)

  assert.deepEqual(deleted, [])
  assert.deepEqual(namesOf(replaced), ['frontend f1'])
  assert.deepEqual(namesOf(deletedAgain), ['frontend f1'])
  assert.deepEqual(frontendIds(inventory), ['f2', 'f3', 'f4'])
})

test('holds all servers of a backend that only they declared, while others go', () => {
  const server = declared('server', 'alone/one', 'http://10.0.0.1')
  const inventory = createInventory({ shrink: { holdMs: 10_000, share: 0.5, allowEmpty: false } })
  inventory.take(listOf([...frontends(9), server]), 0)

  const different = inventory.take(listOf(frontends(8)), 1)

  assert.deepEqual(namesOf(different), ['frontend f9'])
  assert.match(inventory.held()?.reason ?? '', /backend "alone" has lost all its servers/)
})

test('accepts at once that an edited file no longer declares an object, and holds only a burst', () => {
  const inventory = openInventory(frontends(40))
  inventory.take(listOf(frontends(30), 'changed'), 1)
  const few = frontendCount(inventory)

  inventory.take(listOf(frontends(2), 'changed'), 5000)

  assert.equal(few, 30)
  assert.equal(frontendCount(inventory), 30)
  assert.match(inventory.held()?.reason ?? '', /28 of 30 objects were deleted within a second/)
})

test('holds what is all of a source when it is deleted in one go, however little that is', () => {
  const inventory = openInventory(frontends(2))

  inventory.take(changesOf({ deletes: frontends(2) }), 1)

  assert.equal(frontendCount(inventory), 2)
  assert.match(inventory.held()?.reason ?? '', /all 2 objects were deleted in one go/)
})

test('lets the only servers of a source go together: they may share a lease', () => {
  const servers = ['a', 'b'].map((id) => declared('server', `s/${id}`, 'http://10.0.0.1'))
  const inventory = openInventory(servers)

  inventory.take(changesOf({ deletes: servers }), 1)

  assert.equal(inventory.objects('server').size, 0)
})

test('holds whatever a source lacks that has gone back to an earlier state', () => {
  const inventory = openInventory(frontends(9))

  inventory.take(listOf(frontends(8), 'rewound'), 1)

  assert.equal(frontendCount(inventory), 9)
  assert.match(inventory.held()?.reason ?? '', /gone back to an earlier state: 1 of 9 objects/)
})

function frontendCount(inventory: Inventory): number {
  return inventory.objects('frontend').size
}
