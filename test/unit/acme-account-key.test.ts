import assert from 'node:assert/strict'
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  verify,
} from 'node:crypto'
import { test } from 'node:test'
import {
  createAccountKey,
  dns01Value,
  keyAuthorization,
  thumbprint,
} from '../../src/acme/protocol/account-key.ts'
import { externalAccountBinding, signJws } from '../../src/acme/protocol/jws.ts'

const URL = 'https://ca.test/order'

interface Jws {
  readonly protected: string
  readonly payload: string
  readonly signature: string
}

test('the thumbprint of the example of RFC 7638 is that of the RFC', () => {
  const n =
    '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw'
  const key = createPublicKey({ key: { kty: 'RSA', n, e: 'AQAB' }, format: 'jwk' })

  assert.equal(thumbprint(key), 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs')
})

test('a key authorization is the token and the thumbprint, and its digest the value for dns-01', () => {
  const key = createAccountKey()

  const authorization = keyAuthorization('evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ', key)

  assert.equal(authorization, `evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ.${thumbprint(key)}`)
  assert.match(thumbprint(key), /^[\w-]{43}$/)
  assert.match(dns01Value(authorization), /^[\w-]{43}$/)
})

for (const [alg, hash, key] of [
  ['ES256', 'sha256', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey],
  ['ES384', 'sha384', generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey],
  ['RS256', 'sha256', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey],
] as const) {
  test(`a request is signed with ${alg}, by the key before there is an account and by its URL then`, () => {
    const first = JSON.parse(signJws(URL, 'n1', { a: 1 }, { key, accountUrl: null })) as Jws
    const second = JSON.parse(
      signJws(URL, 'n2', undefined, { key, accountUrl: 'https://ca/1' }),
    ) as Jws

    for (const { protected: head, payload, signature } of [first, second]) {
      const isGenuine = verify(
        hash,
        Buffer.from(`${head}.${payload}`),
        { key: createPublicKey(key), dsaEncoding: 'ieee-p1363' },
        Buffer.from(signature, 'base64url'),
      )
      assert.equal(isGenuine, true)
    }
    const { jwk, ...head } = decode(first.protected) as { jwk: object; d?: string }
    assert.deepEqual(head, { alg, nonce: 'n1', url: URL })
    assert.ok(createPublicKey({ key: jwk, format: 'jwk' }).equals(createPublicKey(key)))
    assert.equal('d' in jwk, false)
    assert.deepEqual(decode(first.payload), { a: 1 })
    assert.deepEqual(decode(second.protected), { alg, nonce: 'n2', url: URL, kid: 'https://ca/1' })
    assert.equal(second.payload, '')
  })
}

test('an account key that no CA accepts is refused', () => {
  const { privateKey: weak, publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const { privateKey: other } = generateKeyPairSync('ed25519')

  for (const key of [weak, other])
    assert.throws(() => signJws(URL, 'n', {}, { key, accountUrl: null }), /must be P-256/)
  assert.throws(() => signJws(URL, 'n', {}, { key: publicKey, accountUrl: null }), /private key/)
})

test('a customer of the CA vouches for the account with the shared secret', () => {
  const key = createPrivateKey(createAccountKey().export({ type: 'pkcs8', format: 'pem' }))
  const secret = Buffer.from('a secret of the customer').toString('base64url')

  const binding = externalAccountBinding(URL, { keyId: 'kid-1', hmacKey: secret }, key) as Jws

  assert.deepEqual(decode(binding.protected), { alg: 'HS256', kid: 'kid-1', url: URL })
  const jwk = decode(binding.payload) as object
  assert.ok(createPublicKey({ key: jwk, format: 'jwk' }).equals(createPublicKey(key)))
  const mac = createHmac('sha256', 'a secret of the customer')
  mac.update(`${binding.protected}.${binding.payload}`)
  assert.equal(binding.signature, mac.digest('base64url'))
})

function decode(part: string): unknown {
  return JSON.parse(Buffer.from(part, 'base64url').toString())
}
