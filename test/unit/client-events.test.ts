import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { createEventLog, type EventLog } from '../../src/admin/event-log.ts'
import { type Client, createClient, SluiceError } from '../../src/client/client.ts'
import { startObjectsSite } from '../support/objects-api.ts'

async function start(t: TestContext): Promise<{ events: EventLog; client: Client }> {
  const events = createEventLog('boot')
  t.after(() => events.close())
  const { origin } = await startObjectsSite(t, { endpoints: () => [events.endpoint] })
  return { events, client: open(t, origin) }
}

function open(t: TestContext, baseUrl: string): Client {
  const client = createClient({ baseUrl })
  t.after(() => client.close())
  return client
}

/** A server of events that a test writes by hand: `next` is the next connection. */
async function startStream(
  t: TestContext,
): Promise<{ origin: string; next(): Promise<{ lastId: string; response: ServerResponse }> }> {
  const server = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.flushHeaders()
    const lastId = request.headers['last-event-id'] ?? ''
    server.emit('connected', { lastId, response })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async next() {
      const [found] = (await once(server, 'connected')) as [
        { lastId: string; response: ServerResponse },
      ]
      return found
    },
  }
}

test('events behind the last one that was taken are read, with their data', async (t) => {
  const { events, client } = await start(t)
  for (const number of [1, 2, 3]) events.add('in-force', { number })

  const found: unknown[] = []
  for await (const event of client.events({ lastEventId: 'boot-1' })) {
    found.push(event)
    if (event.type === 'in-force' && event.data.number === 3) break
  }

  assert.deepEqual(found, [
    { type: 'in-force', data: { number: 2 }, id: 'boot-2' },
    { type: 'in-force', data: { number: 3 }, id: 'boot-3' },
  ])
})

test('a reader of another run of the program gets reset', async (t) => {
  const { client } = await start(t)

  const { value } = await client.events({ lastEventId: 'before-7' }).next()

  assert.deepEqual(value, { type: 'reset', data: {}, id: 'boot-0' })
})

test('a connection that ends is made again, behind the last event that it had', async (t) => {
  const stream = await startStream(t)
  const reader = open(t, stream.origin).events()
  const connected = stream.next()
  const first = reader.next()
  const { response, lastId } = await connected
  // Half of an event is none: it comes again.
  response.write('retry: 1\n\nid: a-1\nevent: in-force\ndata: {"number":1}\n\nid: a-2\nevent: in-')
  const one = await first
  const again = stream.next()
  const second = reader.next()
  response.destroy()
  const next = await again
  next.response.write('id: a-2\nevent: in-force\ndata: {"number":2}\n\n')
  const two = await second
  await reader.return(undefined)

  assert.deepEqual([lastId, next.lastId], ['', 'a-1'])
  assert.deepEqual([one.value?.id, two.value?.id], ['a-1', 'a-2'])
})

test('an id without an event is where the next connection goes on', async (t) => {
  const stream = await startStream(t)
  const reader = open(t, stream.origin).events()
  const connected = stream.next()
  const first = reader.next()
  const again = connected.then(({ response }) => {
    const next = stream.next()
    response.end('retry: 1\n\nid: a-7\n\n')
    return next
  })
  const { lastId, response } = await again
  response.end('event: panic\ndata: {"backend":"b","panics":true}\n\n')
  const event = await first
  await reader.return(undefined)

  assert.equal(lastId, 'a-7')
  assert.deepEqual(event.value?.data, { backend: 'b', panics: true })
})

test('without reconnecting, the events end with their connection', async (t) => {
  const stream = await startStream(t)
  const reader = open(t, stream.origin).events({ reconnect: false })
  const connected = stream.next()
  const first = reader.next()

  ;(await connected).response.end('event: in-force\ndata: {"number":1}\n\n')

  assert.equal((await first).value?.type, 'in-force')
  assert.equal((await reader.next()).done, true)
})

test('an admin that is not there, or refuses, is an error at once', async (t) => {
  const { origin } = await startObjectsSite(t, { endpoints: () => [] })
  const away = open(t, 'http://127.0.0.1:1').events()
  const refused = open(t, origin).events()

  await assert.rejects(away.next(), (error: unknown) => {
    assert.ok(error instanceof SluiceError)
    assert.equal(error.code, 'ECONNREFUSED')
    return true
  })
  await assert.rejects(refused.next(), (error: unknown) => {
    assert.ok(error instanceof SluiceError)
    assert.equal(error.status, 404)
    return true
  })
})

test('an aborted signal ends a reader that waits for events, and one that waits to connect again', async (t) => {
  const stream = await startStream(t)
  const client = open(t, stream.origin)
  for (const isConnected of [true, false]) {
    const abort = new AbortController()
    const reader = client.events({ signal: abort.signal })
    const connected = stream.next()
    const first = reader.next()
    const { response } = await connected
    response.write('retry: 30000\n\nid: a-1\nevent: in-force\ndata: {"number":1}\n\n')
    await first
    const next = assert.rejects(reader.next(), (error: unknown) => {
      assert.ok(error instanceof SluiceError)
      assert.equal(error.code, 'ABORTED')
      return true
    })
    if (!isConnected) response.destroy()
    abort.abort()
    await next
  }
})

test('who leaves the loop leaves the connection', async (t) => {
  const stream = await startStream(t)
  const reader = open(t, stream.origin).events()
  const connected = stream.next()
  const first = reader.next()
  const { response } = await connected
  const closed = once(response, 'close')
  response.write('event: in-force\ndata: {"number":1}\n\n')
  await first

  await reader.return(undefined)

  await closed
})
