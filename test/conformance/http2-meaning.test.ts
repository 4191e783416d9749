/**
 * The most important invariant of a proxy, over HTTP/2: what a server reads is what the client meant. Requests of every
 * shape, several at a time on a connection, and hostile bytes in every part of them: each arrives once and as it was meant,
 * or is refused and nothing of it arrives.
 */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import fc from 'fast-check'
import { startGateway } from '../support/gateway.ts'
import { openHttp2Client, requestFields, type Http2Client } from '../support/http2/client.ts'
import { dataFrame, headersFrame } from '../support/http2/frames.ts'
import { block, literal } from '../support/http2/hpack.ts'
import {
  bodyOf,
  hostile,
  kept,
  mark,
  markOf,
  meant,
  readByHttp2,
  spelled,
  toRead,
  type Meant,
  type Read,
} from '../support/http2/meaning.ts'
import { startHttp2Server } from '../support/http2/server.ts'
import type { Field } from '../support/message.ts'
import { startOrigin } from '../support/origin.ts'

interface World {
  readonly port: number
  /** All requests since the last call. */
  take(): Read[]
  /** What such a server can read of it. */
  asRead(read: Read, one: Meant): Read
}

const PARTS = [
  ':method',
  ':path',
  ':authority',
  ':scheme',
  'name',
  'value',
  'host',
  'length',
] as const
const attack = fc.record({
  one: meant,
  part: fc.constantFrom(...PARTS),
  text: hostile,
  keeps: fc.boolean(),
})

for (const [what, start] of [
  ['HTTP/1', startBeforeHttp1],
  ['HTTP/2', startBeforeHttp2],
] as const) {
  test(`an ${what} server reads what clients of HTTP/2 mean`, async (t) => {
    const world = await start(t)
    const client = await openHttp2Client(t, world.port)

    await fc.assert(
      fc.asyncProperty(fc.array(meant, { minLength: 1, maxLength: 4 }), async (all) => {
        world.take()
        const marked = all.map((one, at) => ({ ...one, fields: [mark(at), ...one.fields] }))
        const sent = marked.map((one) => framesOf(client, one))
        interleave(client, sent)
        for (const { id, one } of sent) {
          const { status, body } = await client.response(id)
          assert.equal(status, 200)
          assert.equal(body, bodyOf(one), 'the response is of another request')
        }

        const read = world.take().sort((one, other) => markOf(one) - markOf(other))
        assert.deepEqual(
          read,
          marked.map((one) => world.asRead(toRead(one), one)),
        )
        client.forget()
      }),
      { numRuns: 300 },
    )
  })

  test(`an ${what} server reads hostile requests as they are meant, or not at all`, async (t) => {
    const world = await start(t)

    await fc.assert(
      fc.asyncProperty(attack, async ({ one, part, text, keeps }) => {
        const client = await openHttp2Client(t, world.port)
        const { id, frames, changed } = attacked(client, one, part, text, keeps)
        client.send(...frames)
        const outcome = await client.outcome(id)
        client.socket.destroy()
        const after = await openHttp2Client(t, world.port)
        assert.equal((await after.ask({ path: '/sentinel' })).status, 200)
        after.socket.destroy()

        const read = world.take().filter((each) => each.path !== '/sentinel')
        assert.ok(read.length <= 1, `${read.length} requests arrived`)
        if (outcome === '200') assert.equal(read.length, 1, 'answered, and never arrived')
        for (const each of read.filter(({ isWhole }) => isWhole)) {
          assert.deepEqual(spelled(each), spelled(toRead(changed)))
        }
      }),
      { numRuns: 600 },
    )
  })
}

async function startBeforeHttp1(t: TestContext): Promise<World> {
  const origin = await startOrigin(t, async (request, connection) => {
    await request.whole()
    const body = request.body()
    connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  })
  const gateway = await startGateway(t, { origin: origin.port, listener: LISTENER })
  return {
    port: gateway.port,
    // RFC 9112 6.3: a message with a length has no trailers.
    asRead: (read, { hasLength, data }) =>
      hasLength && data.length > 0 ? { ...read, trailers: [] } : read,
    take() {
      const read = origin.requests.map((request) => ({
        method: request.method,
        path: request.target,
        authority: request.fields.find(([name]) => name.toLowerCase() === 'host')?.[1] ?? '',
        fields: kept(request.fields),
        body: request.body(),
        trailers: request.message().trailers,
        isWhole: request.isComplete(),
      }))
      origin.forget()
      return read
    },
  }
}

async function startBeforeHttp2(t: TestContext): Promise<World> {
  const server = await startHttp2Server(t, async ({ whole, respond, stream }) => {
    await whole()
    respond({ body: stream.body })
  })
  const gateway = await startGateway(t, {
    origin: 0,
    listener: LISTENER,
    backend: { servers: { one: `h2c://127.0.0.1:${server.port}` } },
  })
  let taken = 0
  return {
    port: gateway.port,
    asRead: (read) => read,
    take() {
      const read = server.requests.slice(taken).map(readByHttp2)
      taken = server.requests.length
      return read
    },
  }
}

const LISTENER = { protocol: 'h2c', paths: 'preserve' }

interface Sent {
  readonly id: number
  readonly one: Meant
  readonly frames: readonly Buffer[]
}

function framesOf(client: Http2Client, one: Meant): Sent {
  const { data, trailers, hasLength } = one
  const length: Field = ['content-length', String(bodyOf(one).length)]
  const fields = hasLength && data.length > 0 ? [...one.fields, length] : one.fields
  return { ...framesWith(client, one, requestFields({ ...one, fields })), one }

  function framesWith(
    client: Http2Client,
    { indexing, huffman }: Meant,
    head: readonly Field[],
  ): Omit<Sent, 'one'> {
    const id = client.nextId()
    // Pseudo-fields stay out of the table, so that hostile ones do not fill it.
    const written = head.map(([name, value]) =>
      literal(name, value, name.startsWith(':') ? {} : { indexing, huffman }),
    )
    const endsWithData = trailers.length === 0
    const bodies = data.map(({ bytes, padding }, at) =>
      dataFrame(id, bytes, {
        end: endsWithData && at === data.length - 1,
        ...(padding === undefined ? {} : { padding }),
      }),
    )
    const end = data.length === 0 && endsWithData
    const frames = [headersFrame(id, Buffer.concat(written), { end }), ...bodies]
    if (!endsWithData) frames.push(headersFrame(id, block(...trailers), { end: true }))
    return { id, frames }
  }
}

/** One part replaced by hostile bytes, or these put behind it. */
function attacked(
  client: Http2Client,
  one: Meant,
  part: (typeof PARTS)[number],
  text: string,
  keeps: boolean,
): Sent & { readonly changed: Meant } {
  const put = (before: string): string => (keeps ? before + text : text)
  const id = client.nextId()
  let changed = one
  if (part === ':method') changed = { ...one, method: put(one.method) }
  if (part === ':path') changed = { ...one, path: put(one.path) }
  if (part === ':authority') changed = { ...one, authority: put(one.authority) }
  if (part === 'name') changed = { ...one, fields: [...one.fields, [put('x-a'), 'b']] }
  if (part === 'value') changed = { ...one, fields: [...one.fields, ['x-a', put('b')]] }
  const fields: Field[] = [...changed.fields]
  if (part === 'host') fields.push(['host', put(one.authority)])
  if (part === 'length') fields.push(['content-length', put(String(bodyOf(one).length))])
  const head = requestFields({
    ...changed,
    fields,
    scheme: part === ':scheme' ? put('http') : 'http',
  })
  const bodies = one.data.map(({ bytes }) => dataFrame(id, bytes))
  const frames = [headersFrame(id, block(...head)), ...bodies, dataFrame(id, '', { end: true })]
  return { id, one, frames, changed: { ...changed, trailers: [] } }
}

/** A frame of each in turn: HEADERS in the order of their ids, then bodies mixed. */
function interleave(client: Http2Client, sent: readonly Sent[]): void {
  const most = Math.max(...sent.map(({ frames }) => frames.length))
  for (let at = 0; at < most; at++) {
    client.send(...sent.flatMap(({ frames }) => frames.slice(at, at + 1)))
  }
}
