import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { test } from 'node:test'
import { AcmeError } from '../../src/acme/protocol/acme-error.ts'
import { checkChain, topIssuer } from '../../src/acme/protocol/chain.ts'
import type { Identifier } from '../../src/acme/protocol/resources.ts'
import { type CertificateAuthority, createAuthority } from '../support/certificates.ts'

test('a chain is the certificates alone, without what stands around them', (t) => {
  const ca = createAuthority(t)
  const { cert, key } = ca.issue('a.example')

  const chain = check(`subject=a\n${cert}\r\nissuer=b\n${ca.cert}`, key, ['a.example'])

  assert.equal(chain, cert + ca.cert)
  assert.equal(topIssuer(chain), 'Test CA')
})

test('a certificate may be for more names than were ordered, but not for others', (t) => {
  const ca = createAuthority(t)
  const { cert, key } = ca.issue('A.example', 'www.a.example', '2001:db8::1', '*.b.example')

  assert.equal(check(cert, key, ['a.example', '2001:db8::1', '*.b.example']), cert)
  for (const name of ['b.example', 'x.b.example', '2001:db8::2'])
    assert.throws(() => check(cert, key, ['a.example', name]), refused(`it is not for ${name}`))
})

test('a chain that is too long, or broken, is refused', (t) => {
  const ca: CertificateAuthority = createAuthority(t)
  const { cert, key } = ca.issue('a.example')

  assert.throws(() => check(cert.repeat(11), key, ['a.example']), refused('its chain is too long'))
  assert.throws(
    () => check(cert + cert.replace(/MI/, 'AA'), key, ['a.example']),
    refused('a certificate of it is malformed'),
  )
  assert.throws(() => check('', key, ['a.example']), refused('it holds no certificate'))
})

function check(text: string, key: string, names: readonly string[]): string {
  const identifiers = names.map((value): Identifier => {
    return { type: value.includes(':') ? 'ip' : 'dns', value }
  })
  return checkChain(text, {
    identifiers,
    key: createPrivateKey(key),
    now: Date.now(),
    what: 'download the certificate',
    who: 'the CA at ca.test',
  })
}

function refused(detail: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof AcmeError)
    assert.equal(error.type, 'refusedCertificate')
    assert.equal(error.detail, detail)
    return true
  }
}
