import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { certificateId } from '../../src/acme/protocol/certificate-id.ts'
import { readDer } from '../../src/acme/protocol/der.ts'
import { createAuthority } from '../support/certificates.ts'

// RFC 9773 section 4.1 derives the identifier from these two.
const KEY = '69:88:5B:6B:87:46:40:41:E1:B3:7B:84:7B:A0:AE:2C:DE:01:C8:D4'
const EXAMPLE = 'aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE'

test('a certificate with the key and the serial of the example of RFC 9773 has its identifier', (t) => {
  const cert = issue(t, 'authorityKeyIdentifier=@aki', '0x87654321')

  assert.equal(certificateId(cert), EXAMPLE)
})

test('a certificate that names no authority key has no identifier', (t) => {
  assert.equal(certificateId(issue(t, 'authorityKeyIdentifier=none', '1')), null)
})

test('the identifier is that of the first certificate of a chain', (t) => {
  const ca = createAuthority(t)
  const cert = issue(t, 'authorityKeyIdentifier=@aki', '0x87654321')

  assert.equal(certificateId(cert + ca.cert), EXAMPLE)
  assert.throws(() => certificateId('no certificate'))
})

test('bytes that are not DER are refused, wherever they end', () => {
  const whole = Buffer.from('3007020101020200ff', 'hex')

  assert.deepEqual(
    readDer(whole).map(({ tag }) => tag),
    [0x30],
  )
  for (let end = 1; end < whole.length; end++) assert.throws(() => readDer(whole.subarray(0, end)))
  for (const bytes of ['3080', '1f0100', '3085ffffffffff', '30847fffffff00'])
    assert.throws(() => readDer(Buffer.from(bytes, 'hex')), bytes)
})

/** openssl writes an authority key of the test's choice only as raw DER. */
function issue(t: TestContext, extension: string, serial: string): string {
  const ca = createAuthority(t)
  const { keyPath } = ca.issue('a.example')
  const [ext, out] = [join(ca.folder, 'id.ext'), join(ca.folder, 'id.pem')]
  const raw = `2.5.29.35=DER:30:16:80:14:${KEY}`
  writeFileSync(ext, `${extension.replace('authorityKeyIdentifier=@aki', raw)}\n`)
  const csr = execFileSync('openssl', ['req', '-new', '-key', keyPath, '-subj', '/CN=a.example'], {
    stdio: 'pipe',
  })
  const signing = ['-CA', ca.certPath, '-CAkey', join(ca.folder, 'ca.key'), '-set_serial', serial]
  execFileSync('openssl', ['x509', '-req', ...signing, '-extfile', ext, '-out', out], {
    input: csr,
    stdio: 'pipe',
  })
  return readFileSync(out, 'utf8')
}
