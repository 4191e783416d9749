// Issue: "one form for the bodies of errors (text and JSON by Accept)". RFC 9110 section 12.5.1.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { exchange, type ReceivedResponse } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { startOrigin } from '../support/origin.ts'

interface Fault {
  readonly what: string
  /** The request's head without its last, empty line. */
  readonly head: string
  readonly status: number
  readonly text: string
  readonly json: object
}

const GET = (path: string, more = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: a.test\r\n${more}Connection: close\r\n`

const FAULTS: readonly Fault[] = [
  {
    what: 'no route',
    head: GET('/nowhere'),
    ...{ status: 404, text: 'Not Found' },
    json: { error: 'not found', status: 404, reason: 'NO_ROUTE' },
  },
  {
    what: 'a path that has two readings',
    head: GET('/a/../b'),
    ...{ status: 400, text: 'Bad Request: ' },
    json: { error: 'bad request', status: 400, reason: 'AMBIGUOUS_PATH' },
  },
  {
    what: 'a body that is too large',
    head: GET('/small', 'Content-Length: 100\r\n').replace('GET', 'POST'),
    ...{ status: 413, text: 'Payload Too Large: ' },
    json: { error: 'payload too large', status: 413, reason: 'BODY_TOO_LARGE' },
  },
  {
    what: 'no server',
    head: GET('/empty'),
    ...{ status: 503, text: 'Service Unavailable' },
    json: { error: 'service unavailable', status: 503, reason: 'NO_SERVER' },
  },
  {
    what: 'a server that closes',
    head: GET('/'),
    ...{ status: 502, text: 'Bad Gateway' },
    json: { error: 'bad gateway', status: 502, reason: 'SERVER_CLOSED' },
  },
  {
    what: 'a rate that is exceeded',
    head: GET('/rate'),
    ...{ status: 429, text: 'max rate reached: retry-in ' },
    json: { error: 'too many requests', status: 429, reason: 'RATE_LIMITED' },
  },
]

const TEXT = ['', '*/*', 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8', 'application/json;q=0']
const TEXT_TOO = ['text/plain, application/json', 'application/json;q=0.5, text/html', 'image/png']
const JSON_ASKED = [
  ...['application/json', 'application/json, text/plain, */*', 'APPLICATION/JSON;charset=utf-8'],
  ...['text/html;q=0.5, application/problem+json;q=0.6', 'application/vnd.api+json'],
]

test('every error is a line of text, or a map for those who ask for JSON', async (t) => {
  const gateway = await start(t)
  for (const fault of FAULTS) {
    for (const accept of [...TEXT, ...TEXT_TOO]) {
      const response = await ask(t, gateway, fault.head, accept)
      const of = `${fault.what}, Accept: ${accept}`
      assert.equal(response.status, fault.status, of)
      assert.equal(value(response, 'content-type'), 'text/plain; charset=utf-8', of)
      assert.ok(response.body.toString().startsWith(fault.text), response.body.toString())
      assert.doesNotMatch(response.body.toString(), /\n/)
      assert.match(value(response, 'vary') ?? '', /^Accept$/)
    }
    for (const accept of JSON_ASKED) {
      const response = await ask(t, gateway, fault.head, accept)
      const of = `${fault.what}, Accept: ${accept}`
      assert.equal(response.status, fault.status, of)
      assert.equal(value(response, 'content-type'), 'application/json', of)
      const { message, ...rest } = JSON.parse(response.body.toString()) as { message?: string }
      assert.deepEqual(rest, fault.json, of)
      assert.ok(message === undefined || message.length > 5, of)
      assert.equal(value(response, 'content-length'), String(response.body.length))
    }
  }
})

test('HEAD has the length of the form that GET would have, and no body', async (t) => {
  const gateway = await start(t)
  const head = GET('/nowhere').replace('GET', 'HEAD')

  const lengths = await Promise.all(
    ['', 'application/json'].map(async (accept) => {
      const response = await exchange(t, gateway.port, withAccept(head, accept))
      assert.equal(response.body.length, 0)
      return Number(value(response, 'content-length'))
    }),
  )

  assert.deepEqual(lengths, [
    'Not Found'.length,
    JSON.stringify({ error: 'not found', status: 404, reason: 'NO_ROUTE' }).length,
  ])
})

test('a response that is written in the file has the form that is written there', async (t) => {
  const gateway = await start(t)

  const response = await ask(t, gateway, GET('/own'), 'application/json')

  assert.equal(value(response, 'content-type'), 'text/plain; charset=utf-8')
  assert.equal(response.body.toString(), 'own')
  assert.equal(value(response, 'vary'), null)
})

async function start(t: TestContext): Promise<TestGateway> {
  const closing = await startOrigin(t, (_request, connection) => connection.end())
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { closing: { servers: { s: closing.url } }, empty: { servers: {} } },
    frontends: {
      all: { route: 'Path("/")', backend: 'closing' },
      empty: { route: 'Path("/empty")', backend: 'empty' },
      small: { route: 'Path("/small")', backend: 'closing', bodylimit: { size: 10 } },
      rate: {
        route: 'Path("/rate")',
        respond: { status: 200 },
        ratelimit: { requests: 1, period: '1h' },
      },
      own: { route: 'Path("/own")', respond: { status: 503, body: 'own' } },
    },
  })
  await ask(t, gateway, GET('/rate'), '')
  return gateway
}

function ask(
  t: TestContext,
  { port }: TestGateway,
  head: string,
  accept: string,
): Promise<ReceivedResponse> {
  return exchange(t, port, withAccept(head, accept))
}

function withAccept(head: string, accept: string): string {
  return `${head}${accept === '' ? '' : `Accept: ${accept}\r\n`}\r\n`
}
