/** RFC 7541 section 6.2.3: a field that arrives as never indexed goes on so, and enters no table on the way. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startGateway } from '../support/gateway.ts'
import { configOf } from '../support/http2-servers.ts'
import { openHttp2Client, requestFields } from '../support/http2/client.ts'
import { dataFrame, type Frame, headersFrame } from '../support/http2/frames.ts'
import { block, literal, text } from '../support/http2/hpack.ts'
import { startHttp2Server } from '../support/http2/server.ts'

const NEVER = { indexing: 'never' } as const

/** As the gateway writes it: the name without Huffman. */
function neverIndexed(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0x10), text(name), text(value)])
}

function holds(frames: readonly Frame[], field: Buffer): boolean {
  return frames.some(({ payload }) => payload.includes(field))
}

test('secrets of requests, responses and trailers stay out of the tables, however often they come', async (t) => {
  const server = await startHttp2Server(t, async ({ connection, streamId, whole }) => {
    await whole()
    const head = Buffer.concat([block([':status', '200']), literal('x-session', 'yours', NEVER)])
    connection.send(
      headersFrame(streamId, head),
      dataFrame(streamId, 'ok'),
      headersFrame(streamId, literal('x-last', 'reply', NEVER), { end: true }),
    )
  })
  const gateway = await startGateway(t, {
    ...configOf({ servers: server.port }),
    listeners: { web: { address: '127.0.0.1:0', protocol: 'h2c' } },
  })
  const client = await openHttp2Client(t, gateway.port)
  const fields = block(...requestFields({ method: 'POST', fields: [['te', 'trailers']] }))
  const head = Buffer.concat([fields, literal('x-token', 'mine', NEVER)])

  // Other lines are in the tables from the third head on, and blocks are kept.
  for (let round = 0; round < 4; round++) {
    const id = client.nextId()
    client.send(
      headersFrame(id, head),
      dataFrame(id, 'body'),
      headersFrame(id, literal('x-end', 'done', NEVER), { end: true }),
    )
    const { streamId, stream } = await server.request(round + 1)
    const response = await client.ended(id)

    assert.ok(holds(stream.frames, neverIndexed('x-token', 'mine')), `request ${streamId}`)
    assert.ok(holds(stream.frames, neverIndexed('x-end', 'done')), `trailers of ${streamId}`)
    assert.ok(holds(response.frames, neverIndexed('x-session', 'yours')), `response ${id}`)
    assert.ok(holds(response.frames, neverIndexed('x-last', 'reply')), `trailers of ${id}`)
  }
})

test('the path and the authority stay out of the tables, too, if they came so', async (t) => {
  const server = await startHttp2Server(t)
  const gateway = await startGateway(t, {
    ...configOf({ servers: server.port }),
    listeners: { web: { address: '127.0.0.1:0', protocol: 'h2c' } },
  })
  const client = await openHttp2Client(t, gateway.port)
  const head = Buffer.concat([
    block([':method', 'GET'], [':scheme', 'http']),
    literal(':path', '/secret', NEVER),
    literal(':authority', 'hidden.example', NEVER),
  ])

  for (let round = 0; round < 3; round++) {
    const id = client.nextId()
    client.send(headersFrame(id, head, { end: true }))
    const { stream } = await server.request(round + 1)
    await client.ended(id)

    // By the indexes of their names in the static table.
    const path = Buffer.concat([Buffer.of(0x14), text('/secret')])
    const authority = Buffer.concat([Buffer.of(0x11), text('hidden.example')])
    assert.ok(holds(stream.frames, path))
    assert.ok(holds(stream.frames, authority))
  }
})
