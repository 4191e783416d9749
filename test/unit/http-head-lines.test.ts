// The walk over a head's bytes says what an expression over its text says; `npm run fuzz -- --heads` compares many more.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { HeadLines } from '../../src/http/message/head-lines.ts'
import { compareHeads } from '../fuzz/head-oracle.ts'

function readsRequest(text: string): boolean {
  const bytes = Buffer.from(text, 'latin1')
  return new HeadLines().readRequest(bytes, 0, bytes.length)
}

test('the walk and the expression agree on 20,000 mutated heads', () => {
  const whole = compareHeads(1, 20_000)

  assert.ok(whole > 4_000 && whole < 16_000, `${whole} of them were whole`)
})

test('a head with any byte in any place is whole for both or for neither', () => {
  const parts = fc.array(
    fc.oneof(
      fc.constantFrom('GET / HTTP/1.1', 'HTTP/1.1 200 OK', '\r\n', '\r\n\r\n', 'a:', ': ', ' '),
      fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
    ),
    { maxLength: 12 },
  )
  const head =
    /^[!#$%&'*+\-.^_`|~\w]{1,32} [!-"$-~]+ HTTP\/1\.\d\r\n(?:[!#$%&'*+\-.^_`|~\w]+:[\t -~\x80-\xff]*\r\n)*\r\n/

  fc.assert(
    fc.property(parts, (pieces) => {
      const text = `GET / HTTP/1.1\r\n${pieces.join('')}`
      assert.equal(readsRequest(text), head.test(text))
    }),
    { numRuns: 5_000 },
  )
})

test('a head ends where its bytes end, whatever the buffer holds behind them', () => {
  const text = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'
  const bytes = Buffer.from(text)
  const lines = new HeadLines()

  const whole = bytes.map((_, at) => (lines.readRequest(bytes, 0, at) ? 1 : 0))

  assert.deepEqual([...whole], Array(text.length).fill(0))
  assert.equal(lines.readRequest(bytes, 0, text.length), true)
})

test('more fields than there is room for make room', () => {
  const field = 'x: y\r\n'
  const bytes = Buffer.from(`GET / HTTP/1.1\r\n${field.repeat(1_000)}\r\n`)
  const lines = new HeadLines()

  assert.equal(lines.readRequest(bytes, 0, bytes.length), true)
  assert.equal(lines.count, 1_000)
  assert.equal(lines.colons[999], 'GET / HTTP/1.1\r\n'.length + 999 * field.length + 1)
  assert.equal(lines.end, bytes.length)
})
