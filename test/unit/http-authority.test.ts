// A plain name is read without the expression for authorities, to the same host.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LastHost, routingHost } from '../../src/http/message/authority.ts'

const character = fc.constantFrom(...'ab09-_~..AZ[]/@ \xe9')

test('a name without a port has the host that it has with one', () => {
  fc.assert(
    fc.property(fc.array(character, { maxLength: 12 }), (characters) => {
      const name = characters.join('')
      assert.equal(routingHost(name), routingHost(`${name}:80`))
    }),
    { numRuns: 5_000 },
  )
})

test('a name may have 253 characters', () => {
  const longest = `${'a'.repeat(63)}.`.repeat(4).slice(0, 253)

  assert.equal(routingHost(longest), longest)
  assert.equal(routingHost(`${longest}a`), null)
})

test('the last host is that of the authority that is asked for', () => {
  const last = new LastHost()

  assert.equal(last.of('a.test'), 'a.test')
  assert.equal(last.of('a.test'), 'a.test')
  assert.equal(last.of('B.test:8080'), 'b.test')
  assert.equal(last.of('a..test'), null)
  assert.equal(last.of('a.test'), 'a.test')
})
