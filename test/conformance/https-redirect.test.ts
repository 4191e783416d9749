// RFC 9110 section 15.4: `redirect: https` of a listener sends clients to the same URL with https.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openClient } from '../support/client.ts'
import { openHttp2Client } from '../support/http2/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { get } from '../support/refusal.ts'
import { type Origin, startOrigin } from '../support/origin.ts'

interface Setup {
  readonly origin: Origin
  readonly gateway: TestGateway
  /** `STATUS LOCATION` of the response to the request. */
  ask(request: string): Promise<string>
}

async function start(t: TestContext, listener: object, more: object = {}): Promise<Setup> {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port, listener, ...more })
  return {
    origin,
    gateway,
    async ask(request) {
      const client = await openClient(t, gateway.port)
      const response = await client.ask(request)
      return `${response.status} ${value(response, 'location') ?? ''}`.trim()
    },
  }
}

test('sends clients to the same host, path and query, by a status that keeps the method', async (t) => {
  const { ask, gateway, origin } = await start(t, { redirect: 'https' })
  const post = 'POST /vote?a=1 HTTP/1.1\r\nHost: b.example:8080\r\nContent-Length: 1\r\n\r\nx'

  assert.equal(await ask(get('/')), '301 https://a.test/')
  assert.equal(await ask(get('/a//b/../c?x=%20&y')), '301 https://a.test/a//b/../c?x=%20&y')
  assert.equal(await ask('HEAD /h HTTP/1.1\r\nHost: b.example\r\n\r\n'), '301 https://b.example/h')
  assert.equal(await ask(post), '308 https://b.example/vote?a=1')
  assert.equal(await ask('OPTIONS * HTTP/1.1\r\nHost: b.example\r\n\r\n'), '308 https://b.example/')
  assert.equal(
    await ask('GET http://c.example/x HTTP/1.1\r\nHost: c.example\r\n\r\n'),
    '301 https://c.example/x',
  )
  assert.equal(origin.requests.length, 0)
  assert.ok(gateway.records().every(({ reason }) => reason === 'REDIRECT'))
})

test('sends clients of HTTP/2 on in the same way', async (t) => {
  const { gateway, origin } = await start(t, { redirect: 'https' })
  const client = await openHttp2Client(t, gateway.port)

  const got = await client.ask({ path: '/x?y=1', authority: 'b.example:8080' })
  const posted = await client.ask({ method: 'POST', path: '/x', authority: 'b.example', body: 'x' })

  const [read, sent] = [got, posted].map(({ status, fields }) => {
    return `${status} ${fields.find(([name]) => name === 'location')?.[1]}`
  })
  assert.equal(read, '301 https://b.example/x?y=1')
  assert.equal(sent, '308 https://b.example/x')
  assert.equal(origin.requests.length, 0)
})

test('with a port, and with statuses that browsers do not remember', async (t) => {
  const { ask } = await start(t, { redirect: { port: 8443, permanent: false } })

  assert.equal(await ask(get('/x')), '302 https://a.test:8443/x')
  assert.equal(
    await ask('PUT /x HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 0\r\n\r\n'),
    '307 https://[::1]:8443/x',
  )
})

test('a path cannot name another host', async (t) => {
  const { ask } = await start(t, { redirect: 'https' })

  for (const path of ['//evil.example/x', '/\\evil.example', '/@evil.example', '/.evil.example']) {
    const answer = await ask(get(path))
    assert.ok(answer === '400' || new URL(answer.slice(4)).host === 'a.test', answer)
  }
  assert.equal(await ask('GET / HTTP/1.1\r\nHost: a.example@evil.example\r\n\r\n'), '400')
  assert.equal(await ask('GET / HTTP/1.1\r\nHost: evil.example/\r\n\r\n'), '400')
  assert.equal(await ask('GET / HTTP/1.0\r\n\r\n'), '400')
})

test('a request that came by https to a trusted proxy in front is served', async (t) => {
  const request = 'GET / HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-Proto: https\r\n\r\n'
  const trusting = await start(t, { redirect: 'https' }, { trusted: ['127.0.0.0/8'] })
  const wary = await start(t, { redirect: 'https' })

  assert.equal(await trusting.ask(request), '200')
  assert.equal(await wary.ask(request), '301 https://a.example/')
})

test('challenges of open orders are answered before', async (t) => {
  const { ask, gateway } = await start(t, { redirect: 'https' })
  const path = '/.well-known/acme-challenge/one'
  await gateway.challenge([{ kind: 'http-01', token: 'one', keyAuthorization: 'one.thumbprint' }])

  assert.equal(await ask(get(path)), '200')
  assert.equal(await ask(get(`${path}x`)), `301 https://a.test${path}x`)
})

test('only requests of the scope are sent on', async (t) => {
  const { ask } = await start(t, { redirect: 'https', scope: 'Host("a.example")' })

  assert.equal(await ask('GET / HTTP/1.1\r\nHost: a.example\r\n\r\n'), '301 https://a.example/')
  assert.equal(await ask('GET / HTTP/1.1\r\nHost: b.example\r\n\r\n'), '404')
})

test('begins and ends with a change of the listener, on open connections, too', async (t) => {
  const { gateway, origin } = await start(t, {})
  const client = await openClient(t, gateway.port)
  const statuses: number[] = []

  for (const listener of [{}, { redirect: 'https' }, {}]) {
    await gateway.apply({ origin: origin.port, listener })
    statuses.push((await client.ask(get('/'))).status)
  }

  assert.deepEqual(statuses, [200, 301, 200])
})
