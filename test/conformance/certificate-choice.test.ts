import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Certificates } from '../../src/downstream/certificates.ts'
import { takesKey } from '../../src/downstream/client-hello.ts'
import { ClientHelloReader } from '../../src/downstream/client-hello-reader.ts'
import { createAuthority } from '../support/certificates.ts'
import { clientHello } from '../support/client-hello.ts'

const NOW = Date.now()
const DAY = 86_400_000

function contextOf(certificates: Certificates, name: string, now = NOW): unknown {
  return certificates.context(name, null, now)
}

test('certificates that stay keep their contexts, in whatever place', (t) => {
  const authority = createAuthority(t)
  const [a, b, c] = [
    authority.issue('a.test'),
    authority.issue('b.test'),
    authority.issue('c.test'),
  ]
  const former = new Certificates([a, b], false, null)

  const next = new Certificates([c, { cert: b.cert, key: b.key }], false, former)

  assert.equal(contextOf(next, 'b.test'), contextOf(former, 'b.test'))
  assert.notEqual(contextOf(next, 'c.test'), undefined)
  // The default context is the server's own.
  assert.equal(contextOf(next, 'a.test'), undefined)
  assert.deepEqual(next.defaults(NOW), [c])
  assert.notEqual(contextOf(former, 'a.test'), undefined)
})

test('without any certificate there is no context for any name', () => {
  const none = new Certificates([], false, null)

  assert.equal(contextOf(none, 'a.test'), undefined)
  assert.deepEqual(none.defaults(NOW), [])
  assert.equal(none.misdirects('a.test', 'b.test'), false)
})

test('of several certificates of one name and kind the first serves that is not over', (t) => {
  const authority = createAuthority(t)
  const over = authority.issueWith({ days: 1 }, 'a.test')
  const next = authority.issueWith({ days: 9 }, 'a.test')
  const both = new Certificates([over, next], false, null)
  const alone = (one: typeof over): unknown =>
    contextOf(new Certificates([one], false, both), 'a.test')

  assert.equal(both.hasChoice, false)
  assert.equal(contextOf(both, 'a.test', NOW), alone(over))
  assert.equal(contextOf(both, 'a.test', NOW + 2 * DAY), alone(next))
  assert.equal(contextOf(both, 'a.test', NOW + 20 * DAY), alone(over))
  assert.deepEqual(both.defaults(NOW + 2 * DAY), [next])
})

test('a kind whose certificate is over leaves the name to the others', (t) => {
  const authority = createAuthority(t)
  const ecdsa = authority.issueWith({ days: 1 }, 'a.test')
  const rsa = authority.issueWith({ days: 9, key: 'rsa' }, 'a.test')
  const both = new Certificates([rsa, ecdsa], false, null)
  const alone = (one: typeof rsa): unknown =>
    contextOf(new Certificates([one], false, both), 'a.test')

  assert.equal(both.hasChoice, true)
  assert.equal(contextOf(both, 'a.test', NOW), alone(ecdsa))
  assert.equal(contextOf(both, 'a.test', NOW + 2 * DAY), alone(rsa))
  assert.deepEqual(both.defaults(NOW), [ecdsa, rsa])
  assert.deepEqual(both.defaults(NOW + 2 * DAY), [rsa])
})

test('only strict ones misdirect, by what the certificate of the connection covers', (t) => {
  const authority = createAuthority(t)
  const pairs = [authority.issue('a.test', 'www.a.test'), authority.issue('*.b.test')]
  const lax = new Certificates(pairs, false, null)
  const strict = new Certificates(pairs, true, null)

  for (const [name, host, misdirected] of [
    ['a.test', 'a.test', false],
    ['A.test', 'www.a.test', false],
    ['a.test', 'x.b.test', true],
    ['a.test', 'other.test', true],
    ['x.b.test', 'y.b.test', false],
    ['x.b.test', 'x.y.b.test', true],
    ['', 'a.test', true],
  ] as const) {
    assert.equal(lax.misdirects(name, host), false)
    assert.equal(strict.misdirects(name, host), misdirected, `${name} asks for ${host}`)
  }
  assert.deepEqual(strict.defaults(NOW), [])
})

test('what a client takes is read from its first message', () => {
  for (const [options, p256, p384, ed25519] of [
    [{}, true, true, true],
    [{ sigalgs: 'rsa_pss_rsae_sha256:rsa_pkcs1_sha256' }, false, false, false],
    [{ sigalgs: 'ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256' }, true, false, false],
    [{ sigalgs: 'ecdsa_secp256r1_sha256', maxVersion: 'TLSv1.2' }, true, true, false],
    [{ ciphers: 'ECDHE-RSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' }, false, false, false],
    [{ ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' }, true, true, true],
  ] as const) {
    const hello = new ClientHelloReader().push(clientHello(options))
    assert.ok(typeof hello === 'object')

    const takes = (['p256', 'p384', 'ed25519', 'rsa'] as const).map((kind) => takesKey(hello, kind))
    assert.deepEqual(takes, [p256, p384, ed25519, true], JSON.stringify(options))
  }
})
