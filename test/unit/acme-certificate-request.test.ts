/** Requests and challenge certificates are read by openssl, which knows nothing of this code. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash, createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { createSecureContext } from 'node:tls'
import { alpnCertificate } from '../../src/acme/protocol/alpn-certificate.ts'
import {
  createCertificateKey,
  createCsr,
  KEY_TYPES,
} from '../../src/acme/protocol/certificate-request.ts'

const NOW = Date.UTC(2026, 5, 1)

for (const type of KEY_TYPES) {
  test(`openssl verifies a request with a ${type} key, and reads its names`, async () => {
    const key = await createCertificateKey(type)

    const text = readCsr(createCsr(['a.example', '*.b.example', '192.0.2.7', '2001:db8::ff'], key))

    assert.match(text, /Subject:\s*\n/)
    assert.match(
      text,
      /DNS:a\.example, DNS:\*\.b\.example, IP Address:192\.0\.2\.7, IP Address:2001:DB8:0:0:0:0:0:FF/,
    )
    assert.match(text, EXPECTED[type])
  })
}

const EXPECTED = {
  p256: /prime256v1[^]*ecdsa-with-SHA256/,
  p384: /secp384r1[^]*ecdsa-with-SHA384/,
  rsa2048: /\(2048 bit\)[^]*sha256WithRSAEncryption/,
  rsa4096: /\(4096 bit\)[^]*sha256WithRSAEncryption/,
} as const

test('a request for a hundred names has lengths of several bytes', async () => {
  const names = Array.from({ length: 100 }, (_, at) => `host-${at}.${'long-'.repeat(10)}x.example`)

  const text = readCsr(createCsr(names, await createCertificateKey('p256')))

  for (const name of names) assert.ok(text.includes(`DNS:${name}`), name)
})

test('a key that no CA accepts is refused', () => {
  const { privateKey: ed25519 } = generateKeyPairSync('ed25519')
  const { privateKey: p521 } = generateKeyPairSync('ec', { namedCurve: 'P-521' })

  assert.throws(() => createCsr(['a.example'], ed25519), /must be P-256, P-384 or RSA/)
  assert.throws(() => createCsr(['a.example'], p521), /must be P-256, P-384 or RSA/)
})

test('the certificate of tls-alpn-01 has its name alone, and the digest in a critical extension', () => {
  const { cert, key } = alpnCertificate('a.example', 'token.thumbprint', NOW)

  const text = openssl(['x509', '-noout', '-text'], cert)
  const leaf = new X509Certificate(cert)
  const digest = createHash('sha256').update('token.thumbprint').digest('hex').toUpperCase()

  assert.match(text, /Version: 3 /)
  assert.equal(leaf.subjectAltName, 'DNS:a.example')
  assert.match(text, /1\.3\.6\.1\.5\.5\.7\.1\.31: critical/)
  const dump = openssl(['asn1parse', '-inform', 'DER'], leaf.raw)
  assert.match(
    dump,
    new RegExp(`:1\\.3\\.6\\.1\\.5\\.5\\.7\\.1\\.31\n.*BOOLEAN.*\n.*0420${digest}`),
  )
  assert.equal(leaf.verify(leaf.publicKey), true)
  assert.equal(leaf.checkPrivateKey(createPrivateKey(key)), true)
  assert.ok(leaf.validFromDate.getTime() < NOW && NOW < leaf.validToDate.getTime())
  assert.ok(createSecureContext({ cert, key }))
})

test('the certificate of tls-alpn-01 for an address has it as an address', () => {
  const { cert } = alpnCertificate('2001:db8::1', 'token.thumbprint', NOW)

  assert.equal(new X509Certificate(cert).subjectAltName, 'IP Address:2001:DB8:0:0:0:0:0:1')
})

test('times from 2050 on have four digits of the year', () => {
  const { cert } = alpnCertificate('a.example', 'token.thumbprint', Date.UTC(2050, 0, 5))

  const leaf = new X509Certificate(cert)

  assert.equal(leaf.validFromDate.getTime(), Date.UTC(2050, 0, 4))
  assert.equal(leaf.validToDate.getTime(), Date.UTC(2050, 0, 12))
})

/** Throws if its signature is wrong. */
function readCsr(der: Buffer): string {
  return openssl(['req', '-inform', 'DER', '-noout', '-text', '-verify'], der)
}

function openssl(args: readonly string[], input: string | Buffer): string {
  return execFileSync('openssl', args, { input, stdio: 'pipe' }).toString()
}
