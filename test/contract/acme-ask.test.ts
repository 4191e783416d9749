import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { test, type TestContext } from 'node:test'
import { type Ask, createAsk } from '../../src/acme/ask.ts'
import { listen } from '../support/origin.ts'

interface Setup {
  readonly ask: Ask
  /** Paths, in order. */
  readonly asked: string[]
  readonly warnings: string[]
  /** Of the next responses. */
  status: number
  clock: number
  /** Requests get no response before it is called. */
  hold(): () => void
}

async function start(t: TestContext, perMinute = 10, path = '/may?key=1'): Promise<Setup> {
  let held: Promise<void> = Promise.resolve()
  const server = createServer((request, response) => {
    setup.asked.push(request.url ?? '')
    void held.then(() => response.writeHead(setup.status, { location: '/yes' }).end())
  })
  const port = await listen(server)
  const ending = new AbortController()
  t.after(() => {
    ending.abort()
    server.closeAllConnections()
    server.close()
  })
  const setup: Setup = {
    ask: createAsk({
      url: `http://127.0.0.1:${port}${path}`,
      perMinute,
      warn: (text) => setup.warnings.push(text),
      now: () => setup.clock,
      signal: ending.signal,
    }),
    asked: [],
    warnings: [],
    status: 200,
    clock: 0,
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>()
      held = promise
      return resolve
    },
  }
  return setup
}

test('a name is permitted by a 2xx, and asked for once by all who wait', async (t) => {
  const setup = await start(t)
  setup.status = 204
  const release = setup.hold()

  const waiting = Promise.all([1, 2, 3].map(() => setup.ask.refusal('a.example')))
  release()

  assert.deepEqual(await waiting, [null, null, null])
  assert.deepEqual(setup.asked, ['/may?key=1&domain=a.example'])
})

test('a refusal is remembered for a while, and a redirect is one', async (t) => {
  const setup = await start(t, 10, '/may')
  for (const status of [404, 302]) {
    setup.status = status
    assert.equal(await setup.ask.refusal(`s${status}.example`), 'acme.onDemand.ask refuses it')
  }
  setup.status = 200

  assert.equal(await setup.ask.refusal('s404.example'), 'it was refused a short time ago')
  setup.clock += 300_001
  assert.equal(await setup.ask.refusal('s404.example'), null)
  assert.equal(setup.asked.length, 3)
  assert.equal(setup.asked[0], '/may?domain=s404.example')
})

test('a server that fails permits nothing, and is named in the log once a minute', async (t) => {
  const setup = await start(t)
  setup.status = 503

  assert.equal(await setup.ask.refusal('a.example'), 'acme.onDemand.ask does not respond')
  assert.equal(await setup.ask.refusal('b.example'), 'acme.onDemand.ask does not respond')
  await assert.rejects(setup.ask.permits('c.example'))
  setup.clock += 10_001
  setup.status = 200

  assert.equal(await setup.ask.refusal('a.example'), null)
  assert.equal(setup.warnings.length, 1)
  assert.match(setup.warnings[0] ?? '', /^acme\.onDemand\.ask cannot be asked for "a\.example": /)
})

test('so many names are permitted in one minute', async (t) => {
  const setup = await start(t, 2)

  const first = [await setup.ask.refusal('a.example'), await setup.ask.refusal('b.example')]
  const third = await setup.ask.refusal('c.example')
  setup.clock += 60_000
  const later = await setup.ask.refusal('c.example')

  assert.deepEqual(first, [null, null])
  assert.equal(third, 'too many names are ordered at the moment')
  assert.equal(later, null)
})

test('few names are asked for at a time', async (t) => {
  const setup = await start(t)
  const release = setup.hold()

  const waiting = ['a', 'b', 'c', 'd', 'e'].map((name) => setup.ask.refusal(`${name}.example`))
  const sixth = await setup.ask.refusal('f.example')
  release()

  assert.equal(sixth, 'too many names are asked for at the moment')
  assert.deepEqual(await Promise.all(waiting), [null, null, null, null, null])
})

test('what is no domain is not asked for', async (t) => {
  const setup = await start(t)

  for (const name of ['localhost', '*.a.example', '192.0.2.1', 'a.example&x=1', 'A.example', ''])
    assert.equal(await setup.ask.refusal(name), 'it is no name of a domain', name)
  assert.deepEqual(setup.asked, [])
})
