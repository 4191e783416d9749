/** Small pieces of bodies, which are passed on together, and floods of them, which leave other connections their turns. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requestFields } from '../support/http2/client.ts'
import { dataFrame, headersFrame, pingFrame, resetFrame } from '../support/http2/frames.ts'
import { block } from '../support/http2/hpack.ts'
import { startLinkedClient } from '../support/http2/links.ts'
import { eventually } from '../support/until.ts'

const POST = block(...requestFields({ method: 'POST' }))

test('frames of a byte each arrive in a few pieces, in order, with their end', async (t) => {
  const { client, link } = await startLinkedClient(t)
  const text = Array.from({ length: 1_000 }, (_, at) => String.fromCharCode(33 + (at % 90))).join(
    '',
  )

  client.send(
    headersFrame(1, POST),
    ...[...text].map((one, at) => dataFrame(1, one, { end: at === text.length - 1 })),
  )
  const stream = await eventually(() => link.all[0], 'the request')
  await stream.whole()

  assert.equal(stream.body.toString(), text)
  assert.ok(stream.chunks.length <= 20, `${stream.chunks.length} pieces`)
})

test('pieces of two bodies in turn, padded and large ones between them, stay those of their body', async (t) => {
  const { client, link } = await startLinkedClient(t)
  const large = 'L'.repeat(2_000)

  client.send(headersFrame(1, POST), headersFrame(3, POST))
  client.send(
    dataFrame(1, 'a'),
    dataFrame(1, 'b', { padding: 7 }),
    dataFrame(3, 'x'),
    dataFrame(1, large),
    dataFrame(1, 'c'),
    pingFrame(),
    dataFrame(3, 'y'),
    dataFrame(3, ''),
    dataFrame(3, 'z', { end: true }),
    dataFrame(1, '', { end: true }),
  )
  await eventually(() => link.all.length === 2, 'both requests')
  const [first, second] = await Promise.all(link.all.map((stream) => stream.whole()))

  assert.equal(first?.body.toString(), `ab${large}c`)
  assert.equal(second?.body.toString(), 'xyz')
})

test('what came before an error of its stream is passed on before it', async (t) => {
  const { client, link } = await startLinkedClient(t)
  const fields = requestFields({ method: 'POST', fields: [['content-length', '2']] })

  client.send(headersFrame(1, block(...fields)), dataFrame(1, 'a'), dataFrame(1, 'bc'))
  await client.roundTrip()

  const [stream] = link.all
  assert.equal(stream?.body.toString(), 'a')
  assert.match(stream?.outcome ?? '', /longer than Content-Length/)
})

test('what was gathered for a stream that is reset behind it is given back to the window', async (t) => {
  const { client, link } = await startLinkedClient(t, { burst: 1_000 })
  const before = 1024 * 1024
  const rounds = 80

  for (let round = 0; round < rounds; round++) {
    const id = client.nextId()
    client.send(
      headersFrame(id, POST),
      ...Array.from({ length: 40 }, () => dataFrame(id, 'd'.repeat(500))),
      resetFrame(id),
    )
    assert.equal(await client.roundTrip(), true)
  }

  assert.ok(rounds * 20_000 > before)
  assert.equal(link.streamCount, 0)
  assert.deepEqual(link.faults, [])
})

test('a read of thousands of frames is followed by a rest, and the rest of them is read', async (t) => {
  const { client, link } = await startLinkedClient(t)
  let rests = 0
  const { socket } = link
  const pause = socket.pause.bind(socket)
  t.mock.method(socket, 'pause', () => {
    rests++
    return pause()
  })

  client.send(headersFrame(1, POST), ...Array.from({ length: 5_000 }, () => dataFrame(1, 'a')))
  client.send(dataFrame(1, 'b', { end: true }))
  const stream = await eventually(() => link.all[0], 'the request')
  await stream.whole()

  assert.equal(stream.body.length, 5_001)
  assert.ok(rests > 0, 'it has rested')
})
