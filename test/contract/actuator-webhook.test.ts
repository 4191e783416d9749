/** Web-hooks against a receiver over real HTTP, which verifies signatures as docs/scaling.md tells its author to. */
import assert from 'node:assert/strict'
import { createHmac, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import type { WebHookActuatorSpec } from '../../src/model/actuator-spec.ts'
import { openWebHook } from '../../src/scaling/actuators/webhook.ts'
import { actuatorContext, inTime } from '../support/actuators.ts'

const SECRET = 'a secret of the test'
const TOLERANCE_S = 300

interface Receiver {
  readonly url: string
  readonly told: unknown[]
}

/** Verified by the receiver's own code: 401 if the signature is missing, old or wrong. */
function isSigned(request: IncomingMessage, body: string): boolean {
  const header = request.headers['sluice-signature']
  const [, time = '', digest = ''] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(header)) ?? []
  if (Math.abs(Date.now() / 1000 - Number(time)) > TOLERANCE_S) return false
  const expected = createHmac('sha256', SECRET).update(`${time}.${body}`).digest()
  return timingSafeEqual(expected, Buffer.from(digest, 'hex'))
}

async function startReceiver(
  t: TestContext,
  respond: (body: string, request: IncomingMessage, response: ServerResponse) => void,
): Promise<Receiver> {
  const told: unknown[] = []
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const body = Buffer.concat(parts).toString()
      if (!isSigned(request, body)) return void response.writeHead(401).end()
      if (body !== '') told.push(JSON.parse(body))
      respond(body, request, response)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook/s3cret`, told }
}

function hook(url: string, more: Partial<WebHookActuatorSpec> = {}): WebHookActuatorSpec {
  return { kind: 'webhook', url, secret: SECRET, headers: {}, observeUrl: null, ...more }
}

test('a web-hook tells the number, signed, and counts the servers in the table', async (t) => {
  const receiver = await startReceiver(t, (_body, _request, response) => response.end())
  const actuator = openWebHook(hook(receiver.url), actuatorContext({ ready: () => 3 }))
  t.after(() => actuator.close())

  await actuator.setReplicas(5, inTime())
  await actuator.setReplicas(0, inTime())

  assert.deepEqual(receiver.told, [
    { backend: 'vote', replicas: 5 },
    { backend: 'vote', replicas: 0 },
  ])
  assert.equal(await actuator.observed(inTime()), 3)
})

test('a web-hook reads the number of replicas where it is told to, with its headers and a signature', async (t) => {
  const answers = ['{"replicas":4}', '7', '{"replicas":-1}', 'soon']
  const headers: unknown[] = []
  const receiver = await startReceiver(t, (_body, request, response) => {
    headers.push([request.method, request.headers['x-team']])
    response.end(answers.shift())
  })
  const spec = hook(receiver.url, { observeUrl: receiver.url, headers: { 'X-Team': 'vote' } })
  const actuator = openWebHook(spec, actuatorContext())
  t.after(() => actuator.close())

  assert.equal(await actuator.observed(inTime()), 4)
  assert.equal(await actuator.observed(inTime()), 7)
  await assert.rejects(actuator.observed(inTime()), /neither a whole number nor/)
  await assert.rejects(actuator.observed(inTime()), /the response is not JSON/)
  assert.deepEqual(headers[0], ['GET', 'vote'])
})

test('a receiver refuses another secret, a changed body and an old time', async (t) => {
  const receiver = await startReceiver(t, (_body, _request, response) => response.end())
  const wrong = openWebHook(hook(receiver.url, { secret: 'some other secret' }), actuatorContext())
  const plain = openWebHook(hook(receiver.url, { secret: null }), actuatorContext())
  const old = openWebHook(hook(receiver.url), actuatorContext(), () => Date.now() - 3_600_000)
  t.after(() => Promise.all([wrong, plain, old].map((one) => one.close())))

  for (const actuator of [wrong, plain, old]) {
    await assert.rejects(actuator.setReplicas(2, inTime()), /it responds with 401$/)
  }
  assert.deepEqual(receiver.told, [])
})

test('a web-hook that fails, redirects or hangs is one error in one line, without its path', async (t) => {
  const failing = await startReceiver(t, (_body, _request, response) => {
    response.writeHead(500).end('<html>\nit\nbroke</html>')
  })
  const moved = await startReceiver(t, (_body, _request, response) => {
    response.writeHead(302, { location: failing.url }).end()
  })
  const silent = await startReceiver(t, () => {})
  const nobody = 'http://127.0.0.1:1/hook/s3cret'
  const reasons = [
    [
      failing.url,
      /^cannot scale backend "vote" by the web-hook at 127\.0\.0\.1:\d+ to 2: it responds with 500$/,
    ],
    [moved.url, /it responds with 302$/],
    [silent.url, /: no response in time$/],
    [nobody, /: connect ECONNREFUSED 127\.0\.0\.1:1$/],
  ] as const

  for (const [url, reason] of reasons) {
    const actuator = openWebHook(hook(url), actuatorContext(), Date.now, 300)
    t.after(() => actuator.close())
    await assert.rejects(actuator.setReplicas(2, inTime()), ({ message }: Error) => {
      assert.match(message, reason)
      assert.doesNotMatch(message, /s3cret|\n/)
      return true
    })
  }
  assert.equal(failing.told.length, 1)
})

test('a call of a web-hook ends with its signal, and with the actuator', async (t) => {
  const silent = await startReceiver(t, () => {})
  const actuator = openWebHook(hook(silent.url), actuatorContext())
  const calls = new AbortController()

  const cut = actuator.setReplicas(2, calls.signal)
  calls.abort()
  await assert.rejects(cut, /^Error: cannot scale backend/)
  const closed = actuator.setReplicas(2, inTime())
  await actuator.close()

  await assert.rejects(closed, /the connection was closed$/)
})
