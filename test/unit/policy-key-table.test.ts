import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KeyTable, NO_CELL } from '../../src/policy/limiting/key-table.ts'
import { TABLE_CELLS_PER_KEY, TABLE_KEYS } from '../../src/scoreboard/layout.ts'

const FAR = 10n ** 15n

test('a key keeps its cell, and every key and salt has another', () => {
  const table = openTable()

  const cell = table.findOrTake('192.0.2.1', 0, 5n)

  assert.equal(table.cells[cell], 5n)
  assert.equal(table.findOrTake('192.0.2.1', 0, 9n), cell)
  assert.equal(table.cells[cell], 5n)
  assert.notEqual(table.findOrTake('192.0.2.2', 0, 5n), cell)
  assert.notEqual(table.findOrTake('192.0.2.1', 1, 5n), cell)
})

test('tables of the same memory and seed agree', () => {
  const { cells } = openTable()
  const one = new KeyTable(cells, 7)
  const other = new KeyTable(cells, 7)

  assert.equal(one.findOrTake('shop.example', 3, 1n), other.findOrTake('shop.example', 3, 2n))
})

test('half as many keys as there is room for are nearly all remembered', () => {
  const table = openTable()
  const names = Array.from({ length: TABLE_KEYS / 2 }, (_, at) => `10.0.${at >> 8}.${at & 255}`)
  for (const name of names) Atomics.store(table.cells, table.findOrTake(name, 0, 1n), FAR)

  const known = names.filter((name) => table.cells[table.findOrTake(name, 0, 1n)] === FAR)

  // With eight entries a set and four keys a set on average, 1 % of the keys find theirs full.
  assert.ok(known.length > names.length * 0.98, `${known.length} of ${names.length}`)
})

test('a key in use outlives a flood of others, whose entries are taken first', () => {
  const table = openTable()
  const cell = table.findOrTake('victim', 0, 1n)
  Atomics.store(table.cells, cell, FAR)

  for (let at = 0; at < 300_000; at++) table.findOrTake(`flood ${at}`, 0, 2n)

  assert.equal(table.findOrTake('victim', 0, 1n), cell)
  assert.equal(table.cells[cell], FAR)
})

test('an entry that is taken begins anew, whatever its value was', () => {
  const table = openTable()
  for (let at = 0; at < 300_000; at++)
    Atomics.store(table.cells, table.findOrTake(`old ${at}`, 0, 1n), FAR)

  assert.equal(table.cells[table.findOrTake('new', 0, 7n)], 7n)
})

test('values that are kept are never taken: there is no cell for a new key then', () => {
  const table = openTable()
  for (let at = 0; at < 300_000; at++)
    Atomics.store(table.cells, table.findOrTake(`old ${at}`, 0, 1n), FAR)

  assert.equal(table.findOrTake('new', 0, 7n, FAR), NO_CELL)
})

test('keys that meet under one seed do not under another', () => {
  const table = openTable(1)
  const target = setOf(table.findOrTake('victim', 0, 0n))
  const meeting: string[] = []
  for (let at = 0; meeting.length < 8; at++)
    if (setOf(table.findOrTake(`key ${at}`, 0, 0n)) === target) meeting.push(`key ${at}`)

  const other = openTable(2)
  const sets = new Set(meeting.map((key) => setOf(other.findOrTake(key, 0, 0n))))

  assert.ok(sets.size > 4, `the eight stand in ${sets.size} sets`)
})

function openTable(seed = 4711): KeyTable {
  const bytes = TABLE_KEYS * TABLE_CELLS_PER_KEY * 8
  return new KeyTable(new BigInt64Array(new SharedArrayBuffer(bytes)), seed)
}

function setOf(cell: number): number {
  return Math.floor(cell / (8 * TABLE_CELLS_PER_KEY))
}
