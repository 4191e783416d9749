// RFC 9110 15.4; edge.md on http -> https: what is redirected, what passes, and by whose word a request came by https.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { createAuthority } from '../support/certificates.ts'
import { exchange, openTlsClient, type ReceivedResponse } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { startOrigin } from '../support/origin.ts'

interface Site {
  readonly gateway: TestGateway
  plain(path: string, ...lines: readonly string[]): Promise<ReceivedResponse>
  secure(path: string): Promise<ReceivedResponse>
}

async function startSite(t: TestContext, frontends: object, more: object = {}): Promise<Site> {
  const authority = createAuthority(t)
  const { certPath, keyPath } = authority.issue('a.test')
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    listeners: {
      web: { address: '127.0.0.1:0' },
      secure: {
        address: '127.0.0.1:0',
        protocol: 'https',
        tls: { certificates: [{ cert: certPath, key: keyPath }] },
      },
    },
    backends: { b: { servers: { s: origin.url } } },
    frontends,
    ...more,
  })
  const textOf = (path: string, lines: readonly string[]): string =>
    [`GET ${path} HTTP/1.1`, 'Host: a.test:8080', ...lines, '', ''].join('\r\n')
  return {
    gateway,
    plain: (path, ...lines) => exchange(t, gateway.port, textOf(path, lines)),
    async secure(path) {
      const options = { servername: 'a.test', ca: authority.cert }
      const client = await openTlsClient(t, gateway.ports['secure'] ?? 0, options)
      return client.ask(textOf(path, []))
    },
  }
}

test('one frontend sends http to https and serves https from its backend', async (t) => {
  const f = { route: 'Host("a.test")', backend: 'b', redirect: { scheme: 'https' } }
  const site = await startSite(t, { f })

  const plain = await site.plain('/a?b=c')
  const secure = await site.secure('/a?b=c')

  assert.deepEqual([plain.status, value(plain, 'location')], [308, 'https://a.test/a?b=c'])
  assert.equal(secure.status, 200)
})

test('a redirect to https goes before every other step of its frontend', async (t) => {
  const f = {
    route: 'Host("a.test")',
    backend: 'b',
    redirect: { scheme: 'https', port: 8443 },
    ratelimit: { requests: 1, period: '1h', key: 'request.host' },
  }
  const site = await startSite(t, { f })

  for (let turn = 0; turn < 3; turn++) {
    const response = await site.plain('/')
    assert.equal(value(response, 'location'), 'https://a.test:8443/')
  }
  assert.equal((await site.secure('/')).status, 200)
  assert.equal((await site.secure('/')).status, 429)
})

test('only a trusted peer can say that a request came by https', async (t) => {
  const f = { route: 'Host("a.test")', backend: 'b', redirect: { scheme: 'https' } }
  const trusting = await startSite(t, { f }, { trusted: ['127.0.0.0/8'] })
  const doubting = await startSite(t, { f })

  assert.equal((await trusting.plain('/', 'X-Forwarded-Proto: https')).status, 200)
  assert.equal((await trusting.plain('/', 'X-Forwarded-Proto: http')).status, 308)
  assert.equal((await doubting.plain('/', 'X-Forwarded-Proto: https')).status, 308)
})

test('a frontend that only redirects to https has nothing for what came by it', async (t) => {
  const site = await startSite(t, { f: { route: 'Path("/")', redirect: { scheme: 'https' } } })

  assert.equal((await site.plain('/')).status, 308)
  assert.equal((await site.secure('/')).status, 404)
  await site.plain('/')
  assert.deepEqual(
    site.gateway.records().map(({ reason }) => reason),
    ['REDIRECT', 'NO_ROUTE', 'REDIRECT'],
  )
})

test('a redirect to https goes before respond, too', async (t) => {
  const f = { route: 'Path("/")', respond: { status: 204 }, redirect: { scheme: 'https' } }
  const site = await startSite(t, { f })

  assert.equal((await site.plain('/')).status, 308)
  assert.equal((await site.secure('/')).status, 204)
})

test('what a frontend changes of responses is changed of its redirect to https', async (t) => {
  const headers = { request: { set: { 'X-In': '1' } }, response: { set: { 'X-Out': '1' } } }
  const f = { route: 'Path("/")', backend: 'b', headers, redirect: { scheme: 'https' } }
  const site = await startSite(t, { f })

  const plain = await site.plain('/')
  const secure = await site.secure('/')

  assert.deepEqual([plain.status, value(plain, 'x-out')], [308, '1'])
  assert.deepEqual([secure.status, value(secure, 'x-out')], [200, '1'])
})

test('a redirect keeps the host, the port and the path that were asked for', async (t) => {
  const redirect = { to: 'https://{host}:{port}/new{uri}', status: 302 }
  const site = await startSite(t, { f: { route: 'PathPrefix("/")', redirect } })

  const response = await site.plain('/a%20b?c={host}')

  assert.equal(value(response, 'location'), 'https://a.test:8080/new/a%20b?c={host}')
})
