// Revocation lists of clients' certificates (RFC 5280 section 5), made by openssl.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import {
  createAuthority,
  type CertificateAuthority,
  type IssuedCertificate,
} from '../support/certificates.ts'
import { openTlsClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { eventually } from '../support/until.ts'

/** `nextUpdate`: as openssl writes times. */
function revoke(
  { folder, certPath }: CertificateAuthority,
  revoked: readonly IssuedCertificate[],
  nextUpdate = '20991231235959Z',
): string {
  const at = (name: string): string => join(folder, name)
  writeFileSync(at('index.txt'), '')
  writeFileSync(
    at('ca.cnf'),
    `[ca]\ndefault_ca=own\n[own]\ndatabase=${at('index.txt')}\ndefault_md=sha256\n`,
  )
  const ca = ['ca', '-config', at('ca.cnf'), '-cert', certPath, '-keyfile', at('ca.key')]
  const openssl = (...more: readonly string[]): void =>
    void execFileSync('openssl', [...ca, ...more], { stdio: 'pipe' })
  for (const { certPath: leaf } of revoked) openssl('-revoke', leaf)
  const times = ['-crl_lastupdate', '20200101000000Z', '-crl_nextupdate', nextUpdate]
  openssl('-gencrl', ...times, '-out', at('crl.pem'))
  return readFileSync(at('crl.pem'), 'utf8')
}

async function startEdge(t: TestContext) {
  const [authority, clients] = [createAuthority(t), createAuthority(t)]
  const origin = await startOrigin(t)
  origin.follow(OK)
  const { cert, key } = authority.issue('a.test')
  const configOf = (crl: string | null): object => ({
    listeners: {
      secure: {
        address: '127.0.0.1:0',
        protocol: 'https',
        tls: {
          certificates: [{ cert, key }],
          clientAuth: { ca: clients.cert, ...(crl === null ? {} : { crl }) },
        },
      },
    },
    backends: { b: { servers: { s: origin.url } } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })
  const gateway = await startGateway(t, configOf(null))
  const connect = (client: IssuedCertificate, session?: Buffer): ReturnType<typeof openTlsClient> =>
    openTlsClient(t, gateway.port, {
      ...{ servername: 'a.test', ca: authority.cert, cert: client.cert, key: client.key },
      ...(session === undefined ? {} : { session }),
    })
  return {
    clients,
    gateway,
    connect,
    apply: (crl: string | null) => gateway.apply(configOf(crl)),
    async ask(client: IssuedCertificate, session?: Buffer): Promise<number | 'refused'> {
      try {
        return (await (await connect(client, session)).ask(REQUEST)).status
      } catch {
        return 'refused'
      }
    },
  }
}

const REQUEST = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'

test('a revoked certificate is refused, also with a session and a connection from before the list', async (t) => {
  const edge = await startEdge(t)
  const [good, revoked] = [edge.clients.issue('good'), edge.clients.issue('revoked')]
  const early = await edge.connect(revoked)
  assert.equal((await early.ask(REQUEST)).status, 200)
  const session = early.socket.getSession()

  await edge.apply(revoke(edge.clients, [revoked]))

  assert.equal(await edge.ask(good), 200)
  assert.equal(await edge.ask(revoked), 'refused')
  assert.equal(await edge.ask(revoked, session), 'refused')
  assert.equal((await early.ask(REQUEST)).status, 421)
  await eventually(() => edge.gateway.notices().length > 0, 'it is logged')
  assert.match(
    edge.gateway.notices()[0] ?? '',
    /does not verify against clientAuth\.ca: CERT_REVOKED$/,
  )
})

test('a list that has ended lets no client in, and the log says so', async (t) => {
  const edge = await startEdge(t)
  const good = edge.clients.issue('good')

  await edge.apply(revoke(edge.clients, [], '20210101000000Z'))

  assert.equal(await edge.ask(good), 'refused')
  await eventually(() => edge.gateway.notices().length > 0, 'it is logged')
  assert.match(edge.gateway.notices()[0] ?? '', /clientAuth\.ca: CRL_HAS_EXPIRED$/)

  await edge.apply(revoke(edge.clients, []))

  assert.equal(await edge.ask(good), 200)
})
