import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RecentMisuse } from '../../src/downstream/recent-misuse.ts'

test('an address is remembered for 10 s from its last misuse on', () => {
  const recent = new RecentMisuse()

  recent.note('192.0.2.1', 0)
  recent.note('192.0.2.1', 5_000)

  assert.deepEqual(
    [14_999, 15_000].map((now) => recent.has('192.0.2.1', now)),
    [true, false],
  )
  assert.equal(recent.has('192.0.2.2', 5_000), false)
})

test('of IPv6 it is the network of a client', () => {
  const recent = new RecentMisuse()

  recent.note('2001:db8:1:2::1', 0)

  assert.deepEqual(
    ['2001:db8:1:2:ffff::9', '2001:db8:1:3::1'].map((address) => recent.has(address, 1)),
    [true, false],
  )
})

test('a flood from many addresses takes no more memory, and the latest are remembered', () => {
  const recent = new RecentMisuse()
  const address = (number: number): string =>
    `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`

  for (let number = 0; number < 10_000; number++) recent.note(address(number), 0)

  const known = Array.from({ length: 10_000 }, (_, number) => recent.has(address(number), 1))
  assert.equal(known.filter(Boolean).length, 4_096)
  assert.deepEqual([known[0], known.at(-1)], [false, true])
})
