import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { LimitedNotices } from '../../src/downstream/limited-notices.ts'
import { PreambleReader } from '../../src/downstream/preamble.ts'
import { parseListener } from '../../src/schema/objects.ts'
import { valueOf } from '../support/parsed.ts'

function listenerOf(rest: object): Parameters<PreambleReader['update']>[0] {
  return valueOf(parseListener('web', { address: ':80', ...rest }, () => ''))
}

test('a client that was gone before it was accepted is closed without a line in the log', () => {
  const refused: string[] = []
  const listener = listenerOf({ proxyProtocol: { trusted: ['10.0.0.1'] } })
  const reader = new PreambleReader(listener, (text) => refused.push(text))
  // It has no address, as after a reset.
  const socket = new Socket()

  const isExpected = reader.expectsHeader(socket)
  const served = (): unknown => refused.push('it is served')
  reader.read(socket, false, served, served)

  assert.ok(isExpected)
  assert.ok(socket.destroyed)
  assert.deepEqual(refused, [])
})

test('a listener without proxyProtocol expects no header', () => {
  const reader = new PreambleReader(listenerOf({}), () => {})

  assert.equal(reader.expectsHeader(new Socket()), false)
})

test('of many refused connections one is logged, with the number of the others in the next line', () => {
  const logged: string[] = []
  let now = 0
  const notices = new LimitedNotices(
    (text) => logged.push(text),
    () => now,
  )

  for (const text of ['a', 'b', 'c']) notices.add(text)
  now = 10_000
  notices.add('d')
  now = 20_000
  notices.add('e')

  assert.deepEqual(logged, ['a', 'd (and 2 more connections were refused)', 'e'])
})
