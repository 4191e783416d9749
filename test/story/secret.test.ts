// Issue 14: `secret new_key` and `secret seal_keypair`, as vctl has them.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openKeyPair } from '../../src/providers/layouts/vulcand/key-pair.ts'
import { createAuthority } from '../support/certificates.ts'
import { type Ended, makeFolder, runProgram } from '../support/program.ts'

test('a key pair that is sealed is opened with the key that was made', async (t) => {
  const folder = makeFolder(t)
  const { certPath, keyPath } = createAuthority(t).issue('a.test')
  const [keyFile, sealedFile] = [join(folder, 'seal.key'), join(folder, 'sealed.json')]

  const made = await runProgram(t, ['secret', 'new_key', '-f', keyFile])
  const sealed = await runProgram(t, [
    ...['secret', 'seal_keypair', '-f', sealedFile, '-sealKey', `@${keyFile}`],
    ...['-privateKey', keyPath, '-cert', certPath],
  ])

  assert.deepEqual([made.code, made.output, sealed.code, sealed.errors], [0, '', 0, ''])
  assert.equal(statSync(keyFile).mode & 0o777, 0o600)
  const text = readFileSync(sealedFile, 'utf8')
  assert.match(text, /^\{"Encryption":"secretbox\.v1","Value":\{"Val":"[^"]+","Nonce":"[^"]+"\}\}$/)
  const pair = openKeyPair(JSON.parse(text), 'KeyPair', readFileSync(keyFile, 'utf8'))
  assert.equal(pair.cert, readFileSync(certPath, 'utf8'))
  assert.equal(pair.key, readFileSync(keyPath, 'utf8'))
})

test('a key that is none, and a pair that is none, seal nothing', async (t) => {
  const folder = makeFolder(t)
  const authority = createAuthority(t)
  const [one, other] = [authority.issue('a.test'), authority.issue('b.test')]
  const file = join(folder, 'sealed.json')
  const seal = (key: string, cert: string): Promise<Ended> =>
    runProgram(t, [
      ...['secret', 'seal_keypair', '-f', file, '-sealKey', key],
      ...['-privateKey', one.keyPath, '-cert', cert],
    ])

  const [noKey, noPair, noFile] = await Promise.all([
    seal('abc', one.certPath),
    seal('0'.repeat(64), other.certPath),
    seal('0'.repeat(64), join(folder, 'no.crt')),
  ])

  for (const [ran, message] of [
    [noKey, /^ERROR: cannot seal the key pair: --sealKey must be 64 hex digits; .*\n$/],
    [noPair, /^ERROR: cannot seal the key pair: .*does not belong to the certificate.*\n$/],
    [noFile, /^ERROR: cannot seal the key pair: .*no\.crt: there is no such file.*\n$/],
  ] as const) {
    assert.deepEqual([ran.code, ran.output], [1, ''])
    assert.match(ran.errors, message)
  }
  assert.equal(existsSync(file), false)
})
