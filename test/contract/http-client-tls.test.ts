import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createPlain } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { createHttpClient } from '../../src/providers/http-client/http-client.ts'
import type { RegistryTls } from '../../src/providers/registry/tls.ts'
import { createAuthority } from '../support/certificates.ts'

const authority = createAuthority({ after })
const server = authority.issue('registry.test', '127.0.0.1')
const other = authority.issue('other.test')
const client = authority.issue('sluice')

const PLAIN: RegistryTls = { ca: null, cert: null, key: null, serverName: null, verify: true }
const TRUSTED: RegistryTls = { ...PLAIN, ca: authority.cert }

for (const [what, leaf, tls, mutual, expected] of [
  ['a trusted certificate for the address', server, TRUSTED, false, 'ok'],
  ['an authority that is not trusted', server, PLAIN, false, /certificate/],
  ['a certificate for another name', other, TRUSTED, false, /altnames/],
  ['the name of the certificate', other, { ...TRUSTED, serverName: 'other.test' }, false, 'ok'],
  ['another name', server, { ...TRUSTED, serverName: 'other.test' }, false, /altnames/],
  ['verify: false', other, { ...PLAIN, verify: false }, false, 'ok'],
  ['no certificate of its own where one is asked for', server, TRUSTED, true, /cannot read \//],
  ['a certificate of its own', server, { ...TRUSTED, ...client }, true, 'ok'],
] as const) {
  test(`TLS to a registry with ${what} ${expected === 'ok' ? 'is good' : 'is refused'}`, async (t) => {
    const { cert, key } = leaf
    const mutuality = mutual ? { ca: authority.cert, requestCert: true } : {}
    const https = createServer({ cert, key, ...mutuality }, (_request, response) => {
      response.end('{}')
    }).listen(0, '127.0.0.1')
    await once(https, 'listening')
    const { port } = https.address() as AddressInfo
    const origin = `https://127.0.0.1:${port}`
    const own = createHttpClient({ what: 'Registry', origin, tls })
    t.after(() => {
      own.close()
      https.close().closeAllConnections()
    })

    const outcome = await own.json('/', { timeoutMs: 5_000 }).then(
      () => 'ok',
      (error: unknown) => (error as Error).message,
    )

    if (expected === 'ok') assert.equal(outcome, 'ok')
    else assert.match(outcome, expected)
  })
}

test('a registry that speaks no TLS is a failure in time', async (t) => {
  const plain = createPlain((_request, response) => response.end('{}')).listen(0, '127.0.0.1')
  await once(plain, 'listening')
  const { port } = plain.address() as AddressInfo
  const own = createHttpClient({
    what: 'Registry',
    origin: `https://127.0.0.1:${port}`,
    tls: PLAIN,
  })
  t.after(() => {
    own.close()
    plain.close().closeAllConnections()
  })

  await assert.rejects(own.json('/', { timeoutMs: 5_000 }), /cannot read \/ of Registry/)
})
