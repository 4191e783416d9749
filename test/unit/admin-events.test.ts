import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:http'
import { test, type TestContext } from 'node:test'
import type { AccessSettings } from '../../src/admin/access.ts'
import { createEventLog, type EventLog } from '../../src/admin/event-log.ts'
import { startObjectsSite } from '../support/objects-api.ts'
import { createWatch } from '../support/until.ts'

interface Reader {
  text(): string
  until(text: string): Promise<void>
  ended(): Promise<unknown>
  close(): void
}

async function startReader(
  t: TestContext,
  origin: string,
  lastId?: string,
  token?: string,
): Promise<Reader> {
  const headers = {
    ...(lastId === undefined ? {} : { 'last-event-id': lastId }),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  }
  const outgoing = request(`${origin}/api/events`, { headers, agent: false })
  outgoing.on('error', () => {})
  outgoing.end()
  const [response] = (await once(outgoing, 'response')) as [import('node:http').IncomingMessage]
  const watch = createWatch()
  let text = ''
  let hasEnded = false
  response.setEncoding('utf8')
  response.on('data', (chunk: string) => {
    text += chunk
    watch.changed()
  })
  response.on('error', () => {})
  response.on('close', () => {
    hasEnded = true
    watch.changed()
  })
  t.after(() => outgoing.destroy())
  return {
    text: () => text,
    async until(wanted) {
      await watch.until(() => text.includes(wanted), `the reader has ${wanted}`)
    },
    ended: () => watch.until(() => hasEnded, 'the stream ends'),
    close: () => outgoing.destroy(),
  }
}

async function startEvents(t: TestContext): Promise<{ events: EventLog; origin: string }> {
  const events = createEventLog('boot')
  t.after(() => events.close())
  const { origin } = await startObjectsSite(t, { endpoints: () => [events.endpoint] })
  return { events, origin }
}

test('a reader gets what happens after it came, one event each', async (t) => {
  const { events, origin } = await startEvents(t)
  events.add('table', { number: 1 })
  const reader = await startReader(t, origin)
  await reader.until('id: boot-1')

  events.add('server', { backend: 'vote', url: 'http://a', state: 'down' })
  await reader.until('boot-2')

  assert.match(
    reader.text(),
    /^retry: 2000\n\nid: boot-1\n\nid: boot-2\nevent: server\ndata: \{.*\}\n\n$/,
  )
})

test('a reader that comes back goes on where it was', async (t) => {
  const { events, origin } = await startEvents(t)
  for (let number = 1; number <= 5; number++) events.add('table', { number })

  const reader = await startReader(t, origin, 'boot-3')
  await reader.until('boot-5')

  assert.deepEqual(reader.text().match(/(?<=^id: )\S+/gm), ['boot-4', 'boot-5'])
})

test('a reader that was away for too long, or that knew another program, begins anew', async (t) => {
  const { events, origin } = await startEvents(t)
  for (let number = 1; number <= 1100; number++) events.add('table', { number })

  for (const lastId of ['boot-3', 'other-1099', 'boot-9999', 'x']) {
    const reader = await startReader(t, origin, lastId)
    await reader.until('event: reset')
    assert.deepEqual(reader.text().match(/(?<=^id: )\S+/gm), ['boot-1100'], lastId)
    reader.close()
  }
})

test('a reader that does not keep up is cut off, and the others are not', () => {
  const events = createEventLog('boot')
  const slow = openStream(events, (sent) => sent < 3)
  const quick = openStream(events, () => true)

  for (let number = 1; number <= 5; number++) events.add('table', { number })
  events.close()

  assert.deepEqual([slow.sent(), slow.isEnded()], [2, true])
  assert.equal(quick.sent(), 6)
})

test('at most 64 clients read events', () => {
  const events = createEventLog('boot')
  const readers = Array.from({ length: 64 }, () => openStream(events, () => true))

  assert.throws(() => openStream(events, () => true), { status: 429 })
  readers[0]?.leave()
  assert.equal(openStream(events, () => true).sent(), 1)
  events.close()
})

test('a reader whose token is taken away gets no more events', async (t) => {
  const events = createEventLog('boot')
  t.after(() => events.close())
  const sha256 = hash('sha256', 'secret')
  let tokens: AccessSettings['tokens'] = [
    { name: 'ci', role: 'read', sha256 },
    { name: 'ops', role: 'read', sha256: hash('sha256', 'other') },
  ]
  const { origin } = await startObjectsSite(t, {
    endpoints: () => [events.endpoint],
    accessNow: () => ({ tokens }),
  })
  const reader = await startReader(t, origin, undefined, 'secret')
  const other = await startReader(t, origin, undefined, 'other')
  await reader.until('id: boot-0')
  await other.until('id: boot-0')

  tokens = tokens.slice(1)
  events.add('table', { number: 1 })

  await reader.ended()
  assert.doesNotMatch(reader.text(), /boot-1/)
  await other.until('boot-1')
})

/** `takes`: whether the reader takes one more text. */
function openStream(
  { endpoint }: EventLog,
  takes: (sent: number) => boolean,
): { sent(): number; isEnded(): boolean; leave(): void } {
  let sent = 0
  let isEnded = false
  const call = { headers: {}, isStillAllowed: () => true } as Parameters<typeof endpoint.run>[0]
  const answer = endpoint.run(call)
  assert.ok(!(answer instanceof Promise) && answer.content.kind === 'events')
  const leave = answer.content.open({
    send() {
      if (!takes(sent + 1)) return false
      sent += 1
      return true
    },
    end: () => (isEnded = true),
  })
  return { sent: () => sent, isEnded: () => isEnded, leave }
}
