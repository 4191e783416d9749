import assert from 'node:assert/strict'
import { test } from 'node:test'
import { helpAgainst, shortageOf } from '../../src/http/connection/shortage.ts'
import { createShortages } from '../../src/observe/shortages.ts'
import { SHARED } from '../../src/scoreboard/layout.ts'
import { connectError } from '../../src/upstream/endpoint/connection-errors.ts'
import { makeBackend, openBoard } from '../support/endpoints.ts'
import { eventually } from '../support/until.ts'

function failed(code: string): Error {
  return Object.assign(new Error(`connect ${code} 10.0.0.1:80`), { code })
}

const OURS = ['EMFILE', 'ENFILE', 'ENOBUFS', 'EADDRNOTAVAIL', 'ENOMEM']
const THEIRS = [
  'ECONNREFUSED',
  'ECONNRESET',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
]

test('what the machine does not give us is no failure of a server', (t) => {
  const [endpoint] = openBoard(t).endpoints(makeBackend({ a: 1 }))
  assert.ok(endpoint !== undefined)
  for (const code of OURS) {
    const error = connectError(failed(code), endpoint.target)

    assert.equal(error.reason, 'OUT_OF_RESOURCES', code)
    assert.deepEqual([error.kind.status, error.kind.blame], [503, 'proxy'])
    assert.equal(shortageOf(error), code)
    assert.notEqual(helpAgainst(code), '')
    endpoint.connectFailed(error.reason)
  }
  assert.equal(endpoint.isBackingOff, false)
  for (const code of THEIRS) {
    assert.equal(connectError(failed(code), endpoint.target).kind.blame, 'server', code)
  }
  endpoint.connectFailed('CONNECT_REFUSED')
  assert.ok(endpoint.isBackingOff)
  assert.equal(endpoint.slot.shared[endpoint.slot.at + SHARED.connectFailureStreak], 1)
})

test('of several addresses one that we could not try tells nothing, one without IPv6 here leaves the other to tell', () => {
  const several = (...codes: string[]): Error => new AggregateError(codes.map(failed))

  assert.equal(shortageOf(several('ECONNREFUSED', 'EMFILE')), 'EMFILE')
  assert.equal(shortageOf(several('EADDRNOTAVAIL', 'ECONNREFUSED')), null)
  assert.equal(shortageOf(several('EADDRNOTAVAIL', 'EADDRNOTAVAIL')), 'EADDRNOTAVAIL')
  assert.equal(shortageOf(new Error('outer', { cause: failed('ENFILE') })), 'ENFILE')
  assert.equal(shortageOf(null), null)
})

test('a shortage is told once when it begins, with what would help, and once when it has ended', async () => {
  const lines: string[] = []
  const tell = (_fields: object, message: string): void => void lines.push(message)
  const log = { info: tell, warn: tell } as unknown as Parameters<typeof createShortages>[0]
  const shortages = createShortages(log, () => performance.now(), 20)

  shortages.note('EMFILE', 1)
  shortages.note('EMFILE', 4)
  await eventually(() => lines.length === 2, 'its end')
  shortages.note('EMFILE', 1)

  assert.match(lines[0] ?? '', /^EMFILE: .*OUT_OF_RESOURCES.*LimitNOFILE/)
  assert.equal(lines[1], 'the shortage EMFILE has ended: it was met 5 times')
  assert.equal(lines.length, 3)
  assert.deepEqual(shortages.counts(), { EMFILE: 6 })
})
