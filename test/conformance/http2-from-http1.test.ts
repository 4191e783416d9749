/**
 * What an HTTP/2 server reads is what clients of HTTP/1 mean: requests of every framing, pipelined and cut anywhere, and hostile bytes in
 * every part of one. What is meant is decided by the strict reader of the tests, which shares nothing with the gateway.
 */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import fc from 'fast-check'
import { connectClient, type Client } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
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
import {
  createReader,
  MalformedMessage,
  value,
  type Field,
  type Message,
} from '../support/message.ts'

interface World {
  readonly port: number
  /** All requests since the last call. */
  take(): Read[]
}

async function startWorld(t: TestContext): Promise<World> {
  const server = await startHttp2Server(t, async ({ whole, respond, stream }) => {
    await whole()
    respond({ body: stream.body })
  })
  const gateway = await startGateway(t, {
    origin: 0,
    listener: { paths: 'preserve' },
    backend: { servers: { one: `h2c://127.0.0.1:${server.port}` }, retry: { attempts: 1 } },
  })
  let taken = 0
  return {
    port: gateway.port,
    take() {
      const read = server.requests.slice(taken).map(readByHttp2)
      taken = server.requests.length
      return read
    },
  }
}

/** How a request is written: what HTTP/1 leaves to the client, and changes nothing. */
const written = fc.record({
  one: meant,
  upper: fc.boolean(),
  blanks: fc.constantFrom('', ' ', '\t ', '  '),
  extension: fc.constantFrom('', ';a', ';a=b', ';a="b;c"'),
  /** In absolute form; Host counts for nothing then, and is the same. */
  isAbsolute: fc.boolean(),
  /** Fields of this hop, which Connection names. */
  hops: fc.array(fc.constantFrom('x-hop', 'x-hip', 'keep-alive'), { maxLength: 2 }),
})
type Written = ReturnType<typeof written.generate>['value']

test('an HTTP/2 server reads what clients of HTTP/1 mean', async (t) => {
  const world = await startWorld(t)

  await fc.assert(
    fc.asyncProperty(
      fc.array(written, { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat({ max: 3_000 }), { maxLength: 6 }),
      async (all, cuts) => {
        world.take()
        const marked = all.map((each, at) => withField(each, mark(at)))
        const client = await connectClient(world.port)
        try {
          await client.sendPieces(cut(marked.map((each) => textOf(each)).join(''), cuts))
          for (const { one } of marked) {
            const { status, body } = await client.readResponse()
            assert.equal(status, 200)
            assert.equal(body.toString('latin1'), bodyOf(one), 'the response is of another request')
          }
        } finally {
          client.socket.destroy()
        }

        const read = world.take().sort((one, other) => markOf(one) - markOf(other))
        assert.deepEqual(
          read,
          marked.map(({ one }) => meantBy(one)),
        )
      },
    ),
    { numRuns: 300 },
  )
})

const PARTS = [
  'method',
  'target',
  'version',
  'host',
  'name',
  'value',
  'length',
  'coding',
  'chunk',
] as const
const attack = fc.record({
  each: written,
  part: fc.constantFrom(...PARTS),
  text: hostile,
  keeps: fc.boolean(),
})

test('an HTTP/2 server reads hostile requests of HTTP/1 as they are meant, or not at all', async (t) => {
  const world = await startWorld(t)

  await fc.assert(
    fc.asyncProperty(attack, async ({ each, part, text, keeps }) => {
      world.take()
      const bytes = textOf(each, (given, before) =>
        given === part ? (keeps ? before + text : text) : before,
      )
      const { messages, isIncomplete } = meaningOf(`${bytes}${SENTINEL}`)
      const client = await connectClient(world.port)
      client.send(`${bytes}${SENTINEL}`)
      // An incomplete request ends with its connection.
      if (isIncomplete) client.end()
      await client.closed()
      const responses = responsesOf(client)
      client.socket.destroy()
      const after = await connectClient(world.port)
      assert.equal((await after.ask(SENTINEL)).status, 200)
      after.socket.destroy()

      const read = world.take()
      assert.equal(read.pop()?.path, '/sentinel')
      const whole = read.filter(({ isWhole }) => isWhole)
      const asMeant = messages.slice(0, whole.length)
      assert.deepEqual(whole.map(spelled), asMeant.map(spelled))
      assert.ok(read.length <= whole.length + 1, 'more than one request was begun and not ended')
      assert.ok(responses <= whole.length, 'a request was answered that never arrived')
    }),
    { numRuns: 1_000 },
  )
})

const SENTINEL = 'GET /sentinel HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n'

/** How many are 200. */
function responsesOf(client: Client): number {
  let count = 0
  for (let next = client.poll(); next !== null; next = client.poll()) {
    if (/^HTTP\/1\.1 200 /.test(next.line)) count++
  }
  return count
}

type Part = (typeof PARTS)[number]

function textOf(
  { one, upper, blanks, extension, isAbsolute, hops }: Written,
  put: (part: Part, before: string) => string = (_part, before) => before,
): string {
  const body = bodyOf(one)
  const target = isAbsolute ? `http://${one.authority}${one.path}` : one.path
  const lines = [
    `${put('method', one.method)} ${put('target', target)} HTTP/${put('version', '1.1')}`,
    line('Host', put('host', one.authority)),
    ...one.fields.map(([name, content]) => line(name, content)),
    ...hops.map((name) => line(name, 'hop')),
    ...(hops.length === 0 ? [] : [line('Connection', hops.join(`${blanks},`))]),
    line(put('name', 'x-a'), put('value', 'b')),
  ]
  if (!hasTrailers(one)) {
    lines.push(line('Content-Length', put('length', String(body.length))))
    return `${lines.join('\r\n')}\r\n\r\n${body}`
  }
  lines.push(line('Transfer-Encoding', put('coding', 'chunked')))
  const chunks = [...one.data.map(({ bytes }) => bytes).filter((bytes) => bytes !== ''), '']
  const trailers = one.trailers.map(([name, content]) => `${line(name, content)}\r\n`)
  const sizes = chunks.map((chunk) => put('chunk', chunk.length.toString(16)) + extension)
  const written = chunks.map(
    (chunk, at) => `${sizes[at] ?? ''}\r\n${chunk === '' ? trailers.join('') : chunk}\r\n`,
  )
  return `${lines.join('\r\n')}\r\n\r\n${written.join('')}`

  function line(name: string, content: string): string {
    return `${upper ? name.toUpperCase() : name}:${blanks}${content}${blanks}`
  }
}

/** RFC 9112 6.3: a message with a length has no trailers. */
function hasTrailers({ hasLength }: Meant): boolean {
  return !hasLength
}

/** With the field that `textOf` adds. */
function meantBy(one: Meant): Read {
  const fields: Field[] = [...one.fields, ['x-a', 'b']]
  return toRead({ ...one, fields, trailers: hasTrailers(one) ? one.trailers : [] })
}

function withField(each: Written, field: Field): Written {
  return { ...each, one: { ...each.one, fields: [field, ...each.one.fields] } }
}

/** All messages up to the first that is malformed, or incomplete. */
function meaningOf(bytes: string): { readonly messages: Read[]; readonly isIncomplete: boolean } {
  const messages: Read[] = []
  let rest = bytes
  try {
    for (;;) {
      const reader = createReader('request')
      // RFC 9112 section 2.2: empty lines before a request are skipped.
      reader.push(Buffer.from(rest.replace(/^(\r\n)+/, ''), 'latin1'))
      const next = reader.next()
      if (next === null) break
      messages.push(asRead(next))
      rest = reader.rest().toString('latin1')
    }
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error
    return { messages, isIncomplete: false }
  }
  return { messages, isIncomplete: messages.at(-1)?.path !== '/sentinel' }
}

function asRead(message: Message): Read {
  const [method = '', target = ''] = message.line.split(' ')
  const [, authority = value(message, 'host') ?? '', path = target] =
    /^https?:\/\/([^/?#]*)(.*)$/i.exec(target) ?? []
  const named = (value(message, 'connection') ?? '').toLowerCase().split(/[ \t]*,[ \t]*/)
  return {
    ...{ method, path, authority },
    fields: kept(message.fields.filter(([name]) => !named.includes(name.toLowerCase()))),
    body: message.body.toString('latin1'),
    trailers: message.trailers.map(([name, content]) => [name.toLowerCase(), content]),
    isWhole: true,
  }
}

function cut(text: string, at: readonly number[]): string[] {
  const sorted = [0, ...at.filter((each) => each < text.length), text.length].sort((a, b) => a - b)
  return sorted
    .slice(1)
    .map((to, index) => text.slice(sorted[index], to))
    .filter((piece) => piece !== '')
}
