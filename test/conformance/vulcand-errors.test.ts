// facts/vulcand.md 6.7: statuses and bodies of errors as vulcand's users see them, with the setting errors.form: vulcand.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { writeErrorsAs } from '../../src/http/message/local-response.ts'
import { createAuthority } from '../support/certificates.ts'
import { exchange, type ReceivedResponse } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { choosePort } from '../support/ports.ts'
import { startServing } from '../support/servers.ts'

const TEXT = 'text/plain; charset=utf-8'
const JSON_TYPE = 'application/json'

/** Case, what is requested, status, type and body. */
const ERRORS: readonly (readonly [string, string, number, string, string])[] = [
  ['no route', 'GET /none', 404, JSON_TYPE, '{"error":"not found"}'],
  ['no servers', 'GET /empty', 503, TEXT, 'Service Unavailable'],
  ['a refused connection', 'GET /refused', 502, TEXT, 'Bad Gateway'],
  ['a server that closes', 'GET /closes', 502, TEXT, 'Bad Gateway'],
  ['a server that responds too late', 'GET /late', 504, TEXT, 'Gateway Timeout'],
  ['a certificate that does not verify', 'GET /untrusted', 500, TEXT, 'Internal Server Error'],
  ['a server without TLS', 'GET /no-tls', 500, TEXT, 'Internal Server Error'],
  ['a body that is too large', 'POST /small', 413, TEXT, 'Request Entity Too Large'],
]

async function startSite(
  t: TestContext,
): Promise<(head: string, ...lines: string[]) => Promise<ReceivedResponse>> {
  // Of the whole process, which other files may share.
  writeErrorsAs('vulcand')
  t.after(() => writeErrorsAs('sluice'))
  const plain = await startOrigin(t, OK)
  const closing = await startOrigin(t, (_request, connection) => connection.end())
  const silent = await startOrigin(t, () => {})
  const spoken = await startServing(t, 'plain', 0, (_request, response) => response.end())
  const { cert, key } = createAuthority(t).issue('127.0.0.1')
  const secure = await startOrigin(t, OK, { cert, key })
  const route = (path: string): string => `Path("/${path}")`
  const servers: Record<string, object> = {
    plain: { servers: { s: plain.url } },
    empty: { servers: {} },
    refused: { servers: { s: `http://127.0.0.1:${await choosePort()}` } },
    closes: { servers: { s: closing.url } },
    late: { servers: { s: silent.url }, timeouts: { firstByte: '20ms' } },
    untrusted: { servers: { s: secure.url } },
    'no-tls': { servers: { s: spoken.url.replace('http:', 'https:') } },
  }
  const names = Object.keys(servers).filter((name) => name !== 'plain')
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: servers,
    frontends: {
      ...Object.fromEntries(names.map((name) => [name, { route: route(name), backend: name }])),
      small: { route: route('small'), backend: 'plain', bodylimit: { size: 1 } },
      rate: { route: route('rate'), backend: 'plain', ratelimit: { requests: 1, period: '10s' } },
    },
  })
  return (head, ...lines) => {
    const body = head.startsWith('POST') ? '12345' : ''
    const length = body === '' ? [] : [`Content-Length: ${body.length}`]
    const fields = ['Host: a.test', 'Connection: close', ...length, ...lines]
    return exchange(t, gateway.port, `${head} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n${body}`)
  }
}

test('errors are those of vulcand for every Accept', async (t) => {
  const ask = await startSite(t)

  for (const [what, head, status, type, body] of ERRORS) {
    for (const accept of ['*/*', 'application/json']) {
      const response = await ask(head, `Accept: ${accept}`)
      const seen = [response.status, value(response, 'content-type'), response.body.toString()]
      assert.deepEqual(seen, [status, type, body], what)
      assert.equal(value(response, 'vary'), null)
    }
  }
})

test('a limit of a rate says when to come back', async (t) => {
  const ask = await startSite(t)

  await ask('GET /rate')
  const response = await ask('GET /rate', 'Accept: application/json')

  assert.equal(response.status, 429)
  const retryIn = value(response, 'x-retry-in') ?? ''
  assert.match(retryIn, /^(?:10|9\.\d{1,3})s$/)
  assert.equal(response.body.toString(), `max rate reached: retry-in ${retryIn}`)
  assert.equal(value(response, 'content-type'), TEXT)
})
