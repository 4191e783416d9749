// needs: pebble
/** The ACME client against a real server, pebble, and against the fake that other tests use. */
import assert from 'node:assert/strict'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { describe, test, type TestContext } from 'node:test'
import { AcmeError } from '../../src/acme/protocol/acme-error.ts'
import { createCertificateKey, createCsr } from '../../src/acme/protocol/certificate-request.ts'
import {
  type Front,
  issue,
  openAt,
  type Proof,
  prove,
  startFront,
  type TestCa,
} from '../support/acme.ts'
import { startFakeCa } from '../support/fake-ca.ts'
import { startPebble } from '../support/pebble.ts'

interface CaOptions {
  readonly httpPort?: number
  readonly tlsPort?: number
  readonly badNonces?: number
  readonly externalAccounts?: Readonly<Record<string, string>>
}

const SECRET = 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W'

for (const [name, start] of [
  ['pebble', startPebble],
  ['the fake CA', startFakeCa],
] as const) {
  describe(name, () => {
    test('issues by http-01, with 40 of 100 nonces refused', async (t) => {
      const proof = await startSite(t, start, { badNonces: 40 })
      const { client, front } = proof

      const order = await client.order({ names: ['a.example', 'B.example'] })
      await prove(order, 'http-01', proof)
      const { chain, leaf } = await issue(client, order)

      assert.deepEqual(namesOf(leaf), ['DNS:a.example', 'DNS:b.example'])
      assert.equal(chain.match(/BEGIN CERTIFICATE/g)?.length, 2)
      // Pebble asks from several places.
      const hosts = front.asked.map((one) => one.replace(/[: ].*/, ''))
      assert.deepEqual([...new Set(hosts)].sort(), ['a.example', 'b.example'])
    })

    test('issues by tls-alpn-01', async (t) => {
      const proof = await startSite(t, start)

      const order = await proof.client.order({ names: ['a.example'] })
      await prove(order, 'tls-alpn-01', proof)

      assert.deepEqual(namesOf((await issue(proof.client, order)).leaf), ['DNS:a.example'])
    })

    test('issues for a wildcard and its domain by dns-01', async (t) => {
      const proof = await startSite(t, start)
      const { client } = proof

      const order = await client.order({ names: ['*.a.example', 'a.example'] })
      const authorizations = await client.authorizations(order)
      await prove(order, 'dns-01', proof)

      const { leaf } = await issue(client, order)
      assert.deepEqual(namesOf(leaf), ['DNS:*.a.example', 'DNS:a.example'])
      const forms = authorizations.map((one) => `${one.identifier.value} ${one.isWildcard}`)
      assert.deepEqual(forms.sort(), ['a.example false', 'a.example true'])
    })

    test('issues for an address', async (t) => {
      const proof = await startSite(t, start)

      const order = await proof.client.order({ names: ['127.0.0.1'] })
      await prove(order, 'http-01', proof)

      const { leaf } = await issue(proof.client, order)
      assert.deepEqual(namesOf(leaf), ['IP Address:127.0.0.1'])
    })

    test('signs with an RSA key of an account from elsewhere, for a certificate with an RSA key', async (t) => {
      const accountKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
      const proof = await startSite(t, start, {}, accountKey)
      const { client } = proof
      const key = await createCertificateKey('rsa2048')

      const order = await client.order({ names: ['a.example'] })
      await prove(order, 'http-01', proof)
      const done = await client.finalize(order, createCsr(['a.example'], key))
      const chain = await client.certificate(done, { key })

      assert.equal(new X509Certificate(chain).publicKey.asymmetricKeyType, 'rsa')
    })

    test('finds the account of a key again, and goes on with a known one', async (t) => {
      const { client, accountKey, authority } = await startSite(t, start)
      const url = client.accountUrl
      const again = await openAt(t, authority, { accountKey })
      const known = await openAt(t, authority, { accountKey, accountUrl: url })

      const { accountUrl } = await again.client.register({ email: null })
      const order = await known.client.order({ names: ['a.example'] })

      assert.equal(accountUrl, url)
      assert.equal((await again.client.orderAt(order.url)).status, 'pending')
    })

    test('changes the address of the account', async (t) => {
      const { client } = await startSite(t, start)

      await client.changeEmail('ops@a.example')
      await client.changeEmail(null)

      assert.equal((await client.order({ names: ['a.example'] })).status, 'pending')
    })

    test('registers a customer of the CA', async (t) => {
      const authority = await start(t, { externalAccounts: { 'kid-1': SECRET } })
      const { client } = await openAt(t, authority)
      const externalAccount = { keyId: 'kid-1', hmacKey: SECRET }

      const { accountUrl } = await client.register({ email: 'ops@a.example', externalAccount })

      assert.match(accountUrl, /^https:/)
      const foreign = { keyId: 'kid-1', hmacKey: `${SECRET.slice(4)}AAAA` }
      const other = await openAt(t, authority)
      await assert.rejects(
        other.client.register({ email: null, externalAccount: foreign }),
        (error) =>
          error instanceof AcmeError && error.type !== 'unreachable' && error.status !== null,
      )
      await assert.rejects(other.client.register({ email: null }), /registers only customers/)
    })

    test('rejects with what the CA saw if a challenge fails', async (t) => {
      const proof = await startSite(t, start)
      const { client } = proof
      const order = await client.order({ names: ['a.example'] })
      const [authorization] = await client.authorizations(order)
      const challenge = authorization?.challenges.find(({ type }) => type === 'http-01')
      assert.ok(authorization !== undefined && challenge !== undefined)

      await client.ready(challenge)

      await assert.rejects(client.awaitValid(authorization), (error) => {
        assert.ok(error instanceof AcmeError)
        assert.equal(error.type, 'unauthorized')
        assert.match(
          error.message,
          /^cannot prove that a\.example is served here: the CA at 127\.0\.0\.1:\d+ says: /,
        )
        return true
      })
      const key = await createCertificateKey('p256')
      await assert.rejects(
        client.finalize(order, createCsr(['a.example'], key)),
        (error) => error instanceof AcmeError && error.type !== 'timeout',
      )
    })
  })
}

test('pebble refuses a name in words that are passed on', async (t) => {
  const { client } = await startSite(t, startPebble)

  const order = client.order({ names: ['*.*.example'] })

  await assert.rejects(order, (error) => {
    assert.ok(error instanceof AcmeError)
    assert.equal(error.type, 'malformed')
    assert.equal(error.status, 400)
    assert.ok(error.message.startsWith('cannot order a certificate for *.*.example: the CA at '))
    assert.ok(error.message.includes(error.detail))
    return true
  })
})

test('pebble issues a certificate of six days', async (t) => {
  const front = await startFront(t)
  const { httpPort } = front
  const authority = await startPebble(t, { httpPort, validitySeconds: 6 * 86_400 })
  const opened = await openAt(t, authority)
  await opened.client.register({ email: null })

  const order = await opened.client.order({ names: ['a.example'] })
  await prove(order, 'http-01', { ...opened, front, authority })
  const { leaf } = await issue(opened.client, order)

  const days = (leaf.validToDate.getTime() - leaf.validFromDate.getTime()) / 86_400_000
  assert.equal(Math.round(days), 6)
})

test('of several chains of pebble the preferred one is taken, and its own without that', async (t) => {
  const front = await startFront(t)
  const { httpPort } = front
  const authority = await startPebble(t, { httpPort, alternateRoots: 2 })
  const opened = await openAt(t, authority)
  await opened.client.register({ email: null })
  const roots = await Promise.all([0, 1, 2].map(async (at) => authority.root(at)))
  const names = roots.map((root) => new X509Certificate(root).subject.replace('CN=', ''))

  const chosen: (string | undefined)[] = []
  for (const preferred of [...names, 'no such root']) {
    const order = await opened.client.order({ names: ['a.example'] })
    await prove(order, 'http-01', { ...opened, front, authority })
    const { chain } = await issue(opened.client, order, preferred)
    const top = chain.slice(chain.lastIndexOf('-----BEGIN'))
    chosen.push(new X509Certificate(top).issuer.replace('CN=', ''))
  }

  assert.equal(new Set(names).size, 3)
  assert.deepEqual(chosen, [...names, names[0]])
})

test('pebble needs no new proof for a name whose authorization is valid', async (t) => {
  const front = await startFront(t)
  const { httpPort } = front
  const authority = await startPebble(t, { httpPort, reusedAuthorizations: 100 })
  const opened = await openAt(t, authority)
  const { client } = opened
  await client.register({ email: null })
  await prove(await client.order({ names: ['a.example'] }), 'http-01', {
    ...opened,
    front,
    authority,
  })

  const order = await client.order({ names: ['a.example'] })
  const authorizations = await client.authorizations(order)

  assert.deepEqual(
    authorizations.map(({ status }) => status),
    ['valid'],
  )
  assert.deepEqual(namesOf((await issue(client, order)).leaf), ['DNS:a.example'])
})

/** With a registered account, and a front for all names. */
async function startSite(
  t: TestContext,
  start: (owner: TestContext, options: CaOptions) => Promise<TestCa>,
  options: CaOptions = {},
  accountKey?: Proof['accountKey'],
): Promise<Proof> {
  const front: Front = await startFront(t)
  const { httpPort, tlsPort } = front
  const authority = await start(t, { httpPort, tlsPort, ...options })
  const opened = await openAt(t, authority, accountKey === undefined ? {} : { accountKey })
  await opened.client.register({ email: 'ops@a.example' })
  return { ...opened, front, authority }
}

function namesOf(leaf: X509Certificate): readonly string[] {
  return (leaf.subjectAltName ?? '').split(', ').sort()
}
