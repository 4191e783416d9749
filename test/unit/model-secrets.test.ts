import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { quote } from '../../src/model/parsed.ts'
import { createAuthority } from '../support/certificates.ts'

test('no message quotes the base64 of a private key without its PEM lines, and certificates are quoted', (t) => {
  const form = { type: 'pkcs8', format: 'der' } as const
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
  const keys = [
    rsa.export(form),
    rsa.export({ type: 'pkcs1', format: 'der' }),
    ec.export(form),
    ec.export({ type: 'sec1', format: 'der' }),
    generateKeyPairSync('ed25519').privateKey.export(form),
  ]

  for (const key of keys) {
    for (const text of [key.toString('base64'), `\n ${key.toString('base64url')}`])
      assert.equal(quote(text), '(hidden)')
  }
  const { cert } = createAuthority(t).issueWith({}, 'a.test')
  const bare = cert.replace(/-----.*-----|\n/g, '')
  for (const text of [bare, 'MIIabc', 'MANY', 'M', '']) assert.notEqual(quote(text), '(hidden)')
})
