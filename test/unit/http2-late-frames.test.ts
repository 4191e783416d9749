/** Frames that were under way when their stream was reset: however many streams have closed since, they cost little and end nothing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openHttp2Client } from '../support/http2/client.ts'
import { dataFrame, headersFrame } from '../support/http2/frames.ts'
import { block, literal } from '../support/http2/hpack.ts'
import { openLink, startLinkServer } from '../support/http2/links.ts'
import { startHttp2Server } from '../support/http2/server.ts'
import { eventually } from '../support/until.ts'

const OK = block([':status', '200'])

for (const closings of ['resets', 'normal ends'] as const) {
  test(`a late response behind 100 ${closings} harms no neighbour`, async (t) => {
    const server = await startHttp2Server(t, ({ streamId, respond }) => {
      if (closings === 'normal ends' && streamId > 1 && streamId < 201) respond()
    })
    const { link } = await openLink(t, server.port)
    await eventually(() => link.isReady, 'SETTINGS')
    const [first, ...others] = Array.from({ length: 101 }, () => link.ask())
    const neighbour = others.at(-1)
    assert.ok(first && neighbour)
    const { connection } = await server.request(101)

    first.sendReset(8)
    if (closings === 'resets') for (const stream of others.slice(0, -1)) stream.sendReset(8)
    await eventually(() => link.streamCount === 1, 'the closings')
    const late = [headersFrame(1, OK), dataFrame(1, 'late'), headersFrame(1, OK, { end: true })]
    connection.send(...late)
    connection.respond(neighbour.id)
    await neighbour.whole()

    assert.equal(neighbour.body.toString(), 'ok')
    assert.deepEqual([first.statuses, first.outcome], [[], null])
    assert.deepEqual(named(link.log), [])
  })
}

test('the late rest of an upload that was answered early harms no neighbour', async (t) => {
  const server = await startLinkServer(t, {
    serve: (stream) => stream.sendResponse(413, 0, '', true),
  })
  const client = await openHttp2Client(t, server.port)
  const link = await server.link()
  const uploads: number[] = []
  for (let index = 0; index < 80; index++) {
    uploads.push(client.request({ method: 'POST', end: false }))
    await client.ended(uploads.at(-1) ?? 0)
  }

  const [first = 0] = uploads
  for (let index = 0; index < 60; index++) client.send(dataFrame(first, 'late'))
  client.send(headersFrame(first, literal('x', 'y'), { end: true }))

  assert.equal(await client.roundTrip(), true)
  assert.equal((await client.ask()).status, 413)
  assert.deepEqual(named(link.log), [])
})

test('an id that was left out is no stream, also behind many resets', async (t) => {
  const server = await startLinkServer(t, {
    serve: (stream) => stream.sendResponse(413, 0, '', true),
  })
  const client = await openHttp2Client(t, server.port)
  for (let index = 0; index < 80; index++) {
    await client.ended(client.request({ method: 'POST', end: false }))
  }

  const skipped = client.nextId()
  await client.ask()
  client.send(headersFrame(skipped, block([':status', '200']), { end: true }))

  assert.equal(await client.connectionOutcome(), 'goaway protocol')
})

function named(log: readonly string[]): string[] {
  return log.filter((line) => /^(malformed|abused|lost)/.test(line))
}
