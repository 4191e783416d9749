import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Certificates } from '../../src/front/certificates.ts'
import { createAuthority } from '../support/certificates.ts'

test('certificates that stay keep their contexts, in whatever place', (t) => {
  const authority = createAuthority(t)
  const [a, b, c] = [
    authority.issue('a.test'),
    authority.issue('b.test'),
    authority.issue('c.test'),
  ]
  const former = new Certificates([a, b], null)

  const next = new Certificates([c, { cert: b.cert, key: b.key }], former)

  assert.equal(next.context('b.test'), former.context('b.test'))
  assert.notEqual(next.context('c.test'), undefined)
  assert.equal(next.context('a.test'), next.context('c.test'))
  assert.notEqual(next.context('a.test'), former.context('a.test'))
})

test('without any certificate there is no context for any name', () => {
  const none = new Certificates([], null)

  assert.equal(none.context('a.test'), undefined)
  assert.equal(none.misdirects('a.test', 'b.test'), false)
})
