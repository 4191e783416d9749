// Issue 14, part 3: middlewares and errors of vulcand, written by its API and in force in the program (facts/vulcand.md 5 and 6.7).
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { exchange, type ReceivedResponse } from '../support/client.ts'
import { value } from '../support/message.ts'
import { type Origin, startOrigin } from '../support/origin.ts'
import { startProgram } from '../support/program.ts'
import { eventually } from '../support/until.ts'

const NOTHING_YET = 'HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n'

interface Site {
  readonly origin: Origin
  get(path: string): Promise<ReceivedResponse>
  post(path: string, body: object): Promise<string>
}

async function startSite(t: TestContext): Promise<Site> {
  const origin = await startOrigin(t)
  const program = await startProgram(t, {
    workers: 1,
    data: 'data',
    errors: { form: 'vulcand' },
    listeners: { web: { address: '127.0.0.1:0' } },
  })
  const post = async (path: string, body: object): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${program.admin}/v2/${path}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    })
    const text = await response.text()
    assert.equal(response.status, 200, text)
    return text
  }
  await post('backends', { Backend: { Id: 'b', Type: 'http' } })
  await post('backends/b/servers', { Server: { Id: 's', URL: origin.url } })
  const get = (path: string): Promise<ReceivedResponse> =>
    exchange(
      t,
      program.port,
      `GET ${path} HTTP/1.1\r\nHost: a.test\r\nAccept: application/json\r\n\r\n`,
    )
  return { origin, get, post }
}

async function addFrontend(
  { post, get }: Site,
  path: string,
  type: string,
  members: object,
): Promise<void> {
  const Frontend = { Id: path, Type: 'http', Route: `PathRegexp("^/${path}")`, BackendId: 'b' }
  await post('frontends', { Frontend })
  const Middleware = { Id: 'm', Type: type, Priority: 1, Middleware: members }
  await post(`frontends/${path}/middlewares`, { Middleware })
  await eventually(async () => (await get(`/${path}`)).status !== 404, `/${path} is in force`)
}

interface Hook {
  readonly url: string
  readonly calls: readonly string[]
}

async function startHook(t: TestContext): Promise<Hook> {
  const calls: string[] = []
  const server = createServer((request: IncomingMessage, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += String(chunk)))
    request.on('end', () => {
      calls.push(`${request.method} ${request.url} ${String(request.headers['x-who'])} ${body}`)
      response.end()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, calls }
}

test('a breaker trips, falls back, calls its web-hooks and recovers', async (t) => {
  const site = await startSite(t)
  const hook = await startHook(t)
  const { origin, get } = site
  const call = (path: string): object => ({
    Type: 'webhook',
    Action: {
      URL: `${hook.url}/${path}`,
      Method: 'POST',
      Headers: { 'X-Who': ['me'] },
      Form: { K: ['a b'] },
    },
  })
  await addFrontend(site, 'cb', 'cbreaker', {
    Condition: 'NetworkErrorRatio() > 0.5',
    Fallback: {
      Type: 'response',
      Action: { StatusCode: 400, ContentType: 'text/plain', Body: 'Come back later' },
    },
    OnTripped: call('tripped'),
    OnStandby: JSON.stringify(call('standby')),
    FallbackDuration: 200_000_000,
    RecoveryDuration: 200_000_000,
    CheckPeriod: 10_000_000,
  })
  origin.follow(NOTHING_YET)

  const fallback = await eventually(async () => {
    const response = await get('/cb')
    return response.status === 400 && response
  }, 'the breaker trips')

  assert.equal(fallback.body.toString(), 'Come back later')
  assert.equal(value(fallback, 'content-type'), 'text/plain')
  assert.equal(value(fallback, 'content-length'), '15')
  await eventually(() => hook.calls.includes('POST /tripped me K=a+b'), 'OnTripped is called')
  origin.follow('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  await eventually(async () => {
    await get('/cb')
    return hook.calls.includes('POST /standby me K=a+b')
  }, 'OnStandby is called')
  assert.equal((await get('/cb')).status, 200)
})

test('the fallback of a breaker can be a redirect that keeps the path', async (t) => {
  const site = await startSite(t)
  await addFrontend(site, 'cb', 'cbreaker', {
    Condition: 'ResponseCodeRatio(500, 600, 0, 600) > 0.5',
    Fallback: { Type: 'redirect', Action: { URL: 'http://spare.test', PreservePath: true } },
    FallbackDuration: 60_000_000_000,
    CheckPeriod: 10_000_000,
  })
  site.origin.follow(NOTHING_YET)

  const redirect = await eventually(async () => {
    const response = await site.get('/cb/x?y')
    return response.status === 302 && response
  }, 'the breaker trips')

  assert.equal(value(redirect, 'location'), 'http://spare.test/cb/x')
  assert.equal(redirect.body.toString(), 'Found')
  assert.equal(value(redirect, 'content-type'), 'text/plain; charset=utf-8')
})

test('a rewrite is in force, and a request without a route gets the 404 of vulcand', async (t) => {
  const site = await startSite(t)
  await addFrontend(site, 'old', 'rewrite', {
    Regexp: '^http://a.test/old(.*)',
    Replacement: 'http://a.test/new$1',
  })

  await eventually(async () => {
    await site.get('/old/x?{{.Request.Header}}')
    const last = site.origin.requests.at(-1)?.line
    return last === 'GET /new/x?%7B%7B.Request.Header%7D%7D HTTP/1.1'
  }, 'the path is rewritten')
  const lost = await site.get('/none')

  assert.deepEqual([lost.status, lost.body.toString()], [404, '{"error":"not found"}'])
  assert.equal(value(lost, 'content-type'), 'application/json')
})
