/** The ClientHello is read in any records and pieces; what is none is refused at its first wrong byte. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import type { Socket } from 'node:net'
import fc from 'fast-check'
import type { ClientHello } from '../../src/downstream/client-hello.ts'
import { ClientHelloReader, peekClientHello } from '../../src/downstream/client-hello-reader.ts'
import { clientHello, inPieces, inRecords, record } from '../support/client-hello.ts'

type Read = ClientHello | 'more' | 'other'

function read(...chunks: readonly Buffer[]): Read {
  const reader = new ClientHelloReader()
  let result: Read = 'more'
  for (const chunk of chunks) if (result === 'more') result = reader.push(chunk)
  return result
}

function helloIn(...chunks: readonly Buffer[]): ClientHello {
  const result = read(...chunks)
  assert.ok(typeof result === 'object', `found ${String(result)}`)
  return result
}

const WHOLE = clientHello({ servername: 'DB.Example', ALPNProtocols: ['h2', 'http/1.1'] })

test('reads the name in lower case and the protocols in their order', () => {
  const { serverName, alpn, offersTls13 } = helloIn(WHOLE)

  assert.deepEqual([serverName, alpn, offersTls13], ['db.example', ['h2', 'http/1.1'], true])
})

test('reads hellos of TLS 1.2 and 1.3, without a name and without protocols', () => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const hello = helloIn(clientHello({ servername: '', maxVersion }))

    assert.deepEqual(
      [hello.serverName, hello.alpn, hello.offersTls13],
      ['', [], maxVersion === 'TLSv1.3'],
    )
  }
})

test('reads a hello in any records and any pieces, and keeps every byte', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 700 }), { maxLength: 20 })
  const behind = fc.uint8Array({ maxLength: 40 })
  fc.assert(
    fc.property(sizes, sizes, behind, (records, pieces, rest) => {
      const bytes = Buffer.concat([inRecords(WHOLE, records), rest])
      const reader = new ClientHelloReader()
      const all = inPieces(bytes, pieces)
      let result: Read = 'more'
      let taken = 0
      while (result === 'more' && taken < all.length) {
        result = reader.push(all[taken++] ?? Buffer.alloc(0))
      }

      assert.deepEqual(result, helloIn(WHOLE))
      assert.deepEqual(reader.bytes, Buffer.concat(all.slice(0, taken)))
    }),
  )
})

test('reads a hello in records of one byte and pieces of one byte', () => {
  const bytes = inRecords(
    WHOLE,
    Array.from(WHOLE, () => 1),
  )

  assert.deepEqual(helloIn(...inPieces(bytes, [1])), helloIn(WHOLE))
})

test('waits for more as long as a hello is incomplete', () => {
  for (let end = 0; end < WHOLE.length; end++) {
    assert.equal(read(WHOLE.subarray(0, end)), 'more', `${end} bytes`)
  }
})

test('reads a hello of many kilobytes, as clients with tickets or long lists send it', () => {
  const protocols = Array.from({ length: 1_000 }, (_, at) => `protocol-${at}`)
  const large = clientHello({ ALPNProtocols: protocols })
  assert.ok(large.length > 12_000)

  const hello = helloIn(...inPieces(inRecords(large, [1, 5_000, 300]), [1_460]))

  assert.deepEqual([hello.serverName, hello.alpn], ['a.test', protocols])
})

test('looks at nothing behind the hello', () => {
  const early = Buffer.concat([record(Buffer.from([1]), 20), record(Buffer.alloc(100), 23)])

  assert.equal(helloIn(Buffer.concat([WHOLE, early])).serverName, 'db.example')
  assert.equal(helloIn(Buffer.concat([WHOLE, Buffer.from('garbage')])).serverName, 'db.example')
})

// ---- what is no hello

const OTHER: Readonly<Record<string, Buffer>> = {
  'plain HTTP': Buffer.from('GET / HTTP/1.1\r\nHost: db.example\r\n\r\n'),
  'an SSLv2 hello': Buffer.from([0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10]),
  'a PROXY header': Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n'),
  'a start of Postgres without TLS': Buffer.from([0, 0, 0, 8, 0, 3, 0, 0]),
  'an alert': Buffer.from([21, 3, 3, 0, 2, 1, 0]),
  'a record of another version': Buffer.from([22, 2, 0]),
  'an empty record': Buffer.from([22, 3, 1, 0, 0]),
  'a record longer than any': Buffer.from([22, 3, 1, 0xff, 0xff]),
  'another message': record(Buffer.from([2, 0, 0, 2, 3, 3])),
  'a hello longer than any': record(Buffer.from([1, 0, 0x50, 0, 3, 3])),
  'an alert in the middle of a hello': Buffer.concat([
    WHOLE.subarray(0, 3),
    Buffer.from([0, 1]),
    WHOLE.subarray(5, 6),
    record(Buffer.from([1, 0]), 21),
  ]),
  'a hello without contents': record(Buffer.from([1, 0, 0, 2, 3, 3])),
}

for (const [what, bytes] of Object.entries(OTHER)) {
  test(`takes ${what} for no hello, in one piece and in bytes`, () => {
    assert.equal(read(bytes), 'other')
    assert.equal(read(...inPieces(bytes, [1])), 'other')
  })
}

/** A hello with these extensions. */
function withExtensions(...extensions: readonly Buffer[]): Buffer {
  const list = Buffer.concat(extensions)
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32),
    Buffer.from([0, 0, 2, 0x13, 1, 1, 0, list.length >> 8, list.length & 255]),
    list,
  ])
  return record(Buffer.concat([Buffer.from([1, 0, body.length >> 8, body.length & 255]), body]))
}

function extension(type: number, data: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type >> 8, type & 255, 0, data.length]), data])
}

function nameOf(text: string, type = 0): Buffer {
  const name = Buffer.from(text, 'latin1')
  const entry = Buffer.concat([Buffer.from([type, 0, name.length]), name])
  return Buffer.concat([Buffer.from([0, entry.length]), entry])
}

const GREASE = extension(0x1a1a, Buffer.alloc(1))
const OUTER = extension(0xfe0d, Buffer.alloc(100))

const NAMES: readonly [what: string, hello: Buffer, serverName: string | null][] = [
  ['a name', withExtensions(extension(0, nameOf('A.b'))), 'a.b'],
  ['a name with a dot at its end', withExtensions(extension(0, nameOf('a.b.'))), 'a.b'],
  [
    'GREASE around it, and Encrypted ClientHello',
    withExtensions(GREASE, OUTER, extension(0, nameOf('outer.b')), GREASE),
    'outer.b',
  ],
  ['no extension', withExtensions(), ''],
  ['an extension behind the end of the list', hiddenName(), null],
  ['an empty name', withExtensions(extension(0, nameOf(''))), null],
  ['an empty list', withExtensions(extension(0, Buffer.alloc(0))), null],
  ['a name of another type', withExtensions(extension(0, nameOf('a.b', 1))), null],
  ['a line feed', withExtensions(extension(0, nameOf('a\nb'))), null],
  ['a zero byte', withExtensions(extension(0, nameOf('a.b\0.c'))), null],
  ['bytes that are not ASCII', withExtensions(extension(0, nameOf('\xfc.b'))), null],
  ['a list with more than one', withExtensions(extension(0, twoNames())), null],
  [
    'the extension twice',
    withExtensions(extension(0, nameOf('a.b')), extension(0, nameOf('c.d'))),
    null,
  ],
]

/** The list of extensions has no bytes, and the name stands behind it. */
function hiddenName(): Buffer {
  const hello = withExtensions(extension(0, nameOf('a.b')))
  const at = 5 + 4 + 2 + 32 + 1 + 4 + 2
  hello.writeUInt16BE(0, at)
  return hello
}

function twoNames(): Buffer {
  const two = Buffer.concat([nameOf('a.b').subarray(2), nameOf('c.d').subarray(2)])
  return Buffer.concat([Buffer.from([0, two.length]), two])
}

for (const [what, hello, serverName] of NAMES) {
  test(`reads a server name with ${what} ${serverName === null ? 'as no hello' : `as "${serverName}"`}`, () => {
    const result = read(hello)

    assert.equal(typeof result === 'object' ? result.serverName : result, serverName ?? 'other')
  })
}

test('survives every byte that is changed, and every cut', () => {
  fc.assert(
    fc.property(fc.nat(WHOLE.length - 1), fc.nat(255), fc.nat(WHOLE.length), (at, byte, cut) => {
      const broken = Buffer.from(WHOLE)
      broken[at] = byte

      const result = read(broken)
      assert.deepEqual(read(broken.subarray(0, cut), broken.subarray(cut)), result)
      if (typeof result === 'object') assert.match(result.serverName, /^[\x21-\x7e]*$/)
    }),
    { numRuns: 1_000 },
  )
})

test('takes what never becomes complete for no hello, once it is long', () => {
  const endless = Buffer.concat([record(Buffer.from([1, 0, 0x40 - 1, 0])), record(Buffer.alloc(1))])
  const reader = new ClientHelloReader()
  let result = reader.push(endless)
  const one = record(Buffer.alloc(1))
  for (let pushed = 0; pushed < 10_000 && result === 'more'; pushed++) result = reader.push(one)

  assert.equal(result, 'other')
  assert.ok(reader.bytes.length <= 33_000, `${reader.bytes.length} bytes`)
})

// ---- on a socket

/** A socket whose peer is the test: `push` is what the peer sends. */
function wire(): Socket {
  const socket = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() })
  return socket as unknown as Socket
}

test('a peek leaves the socket paused, with every byte in it', async () => {
  const socket = wire()
  const peeked = new Promise<ClientHello | null>((resolve) => {
    peekClientHello(socket, 10_000, resolve, () => assert.fail('it is not late'))
  })
  for (const piece of inPieces(WHOLE, [1, 600, 7])) socket.push(piece)
  socket.push('behind')

  assert.equal((await peeked)?.serverName, 'db.example')
  assert.ok(socket.isPaused())
  let bytes = Buffer.alloc(0)
  while (bytes.length < WHOLE.length + 6) {
    const chunk = socket.read() as Buffer | null
    if (chunk === null) await once(socket, 'readable')
    else bytes = Buffer.concat([bytes, chunk])
  }
  assert.deepEqual(bytes, Buffer.concat([WHOLE, Buffer.from('behind')]))
})

test('a peek says that a client is too slow, and ends the connection of one that leaves', async () => {
  const noHello = (): void => assert.fail('there is no hello')
  const slow = wire()
  await new Promise<void>((resolve) => {
    peekClientHello(slow, 1, noHello, resolve)
    slow.push(WHOLE.subarray(0, 100))
  })
  assert.equal(slow.destroyed, false)
  slow.destroy()

  const left = wire()
  peekClientHello(left, 10_000, noHello, noHello)
  left.push(WHOLE.subarray(0, 100))
  left.push(null)
  await once(left, 'close')
})
