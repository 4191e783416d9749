/** ZooKeeper's serialization and frames, which znodes an event concerns, and which of them are keys. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  FrameReader,
  MAX_FRAME_BYTES,
  MAX_SKIPPED_BYTES,
} from '../../src/providers/zookeeper/client/frames.ts'
import { JuteReader, JuteWriter } from '../../src/providers/zookeeper/client/jute.ts'
import { EVENT } from '../../src/providers/zookeeper/client/protocol.ts'
import { createDirtyZnodes, PART } from '../../src/providers/zookeeper/dirty-znodes.ts'
import { below, childOf, toEntry } from '../../src/providers/zookeeper/znodes.ts'

test('jute reads what it wrote', () => {
  const int = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
  const long = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })

  fc.assert(
    fc.property(
      int,
      long,
      fc.boolean(),
      fc.uint8Array({ maxLength: 2_000 }),
      fc.string(),
      (...all) => {
        const [number, big, flag, bytes, text] = all
        const writer = new JuteWriter().int(number).long(big).bool(flag)
        const frame = writer.bytes(Buffer.from(bytes)).text(text).frame()

        const reader = new JuteReader(frame)

        assert.equal(reader.int(), frame.length - 4)
        assert.equal(reader.int(), number)
        assert.equal(reader.long(), big)
        reader.skip(1)
        assert.deepEqual(new Uint8Array(reader.bytes()), bytes)
        assert.equal(reader.text(), Buffer.from(text).toString())
        assert.equal(reader.left, 0)
      },
    ),
  )
})

test('jute never reads past the end of a frame, and never makes a list that it cannot hold', () => {
  const reads = ['int', 'long', 'text', 'list'] as const
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 60 }),
      fc.array(fc.constantFrom(...reads), { maxLength: 10 }),
      (bytes, steps) => {
        const reader = new JuteReader(Buffer.from(bytes))
        try {
          for (const step of steps) {
            if (step === 'list') assert.ok(reader.list(() => reader.text()).length <= 15)
            else reader[step]()
          }
        } catch (error) {
          assert.equal((error as Error).name, 'JuteFault')
        }
        assert.ok(reader.left >= 0)
      },
    ),
  )
})

test('null strings, buffers and lists are empty', () => {
  const reader = new JuteReader(Buffer.alloc(12, 0xff))

  assert.deepEqual([reader.text(), reader.bytes().length, reader.list(() => 1)], ['', 0, []])
})

interface Seen {
  readonly frames: readonly string[]
  readonly long: readonly string[]
}

function split(pieces: readonly Buffer[]): Seen {
  const frames: string[] = []
  const long: string[] = []
  const reader = new FrameReader({
    onFrame: (frame) => frames.push(frame.toString()),
    onLongFrame: (head, length) => long.push(`${head.toString()} ${length}`),
  })
  for (const piece of pieces) reader.push(piece)
  return { frames, long }
}

function frameOf(text: string): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(Buffer.byteLength(text))
  return Buffer.concat([length, Buffer.from(text)])
}

test('frames are the same however the bytes arrive', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ maxLength: 30 }), { maxLength: 6 }),
      fc.array(fc.nat({ max: 200 }), { maxLength: 10 }),
      (texts, cuts) => {
        const bytes = Buffer.concat(texts.map(frameOf))
        const places = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)), bytes.length]
        const sorted = places.toSorted((a, b) => a - b)

        const { frames } = split(sorted.slice(1).map((end, i) => bytes.subarray(sorted[i], end)))

        assert.deepEqual(
          frames,
          texts.map((text) => Buffer.from(text).toString()),
        )
      },
    ),
  )
})

test('a frame that is too long is skipped, and the next one is read', () => {
  const head = Buffer.alloc(4)
  head.writeInt32BE(MAX_FRAME_BYTES + 1)
  const filler = Buffer.alloc(1 << 20, 'x')
  const pieces = [
    ...[frameOf('before'), head, Buffer.from('0123456789abcdef')],
    ...Array.from({ length: 15 }, () => filler),
    Buffer.concat([filler.subarray(0, filler.length - 15), frameOf('after')]),
  ]

  const seen = split(pieces)

  assert.deepEqual(seen, {
    frames: ['before', 'after'],
    long: [`0123456789abcdef ${MAX_FRAME_BYTES + 1}`],
  })
})

test('a length that no frame has is refused before anything is kept', () => {
  for (const length of [-1, -(2 ** 31), MAX_SKIPPED_BYTES + 1, 0x48_54_54_50]) {
    const head = Buffer.alloc(4)
    head.writeInt32BE(length)

    assert.throws(() => split([head]), /announces a message of .* bytes, so it is not ZooKeeper/)
  }
})

test('an event concerns its znode below the prefix, and a parent that may be a key', () => {
  const dirty = createDirtyZnodes('/lb', (path) => path.endsWith('tls'))

  const isOurs = [
    dirty.add(EVENT.dataChanged, '/lb/a'),
    dirty.add(EVENT.created, '/lb/tls/options'),
    dirty.add(EVENT.deleted, '/lb/a'),
    dirty.add(EVENT.created, '/lb2/a'),
    dirty.add(EVENT.created, '/'),
    dirty.add(99, '/lb/b'),
  ]

  assert.deepEqual(isOurs, [true, true, true, false, false, false])
  assert.deepEqual(
    [...dirty.take()],
    [
      ['/lb/a', PART.data | PART.gone],
      ['/lb/tls/options', PART.data | PART.children],
      ['/lb/tls', PART.data],
    ],
  )
  assert.equal(dirty.size, 0)
})

test('endless events are not kept: beyond 5,000 znodes only a list will do', () => {
  const dirty = createDirtyZnodes('/lb', () => true)

  for (let i = 0; i < 20_000; i++) dirty.add(EVENT.created, `/lb/${i}`)

  assert.ok(dirty.isOverflowing)
  assert.equal(dirty.take().size, 5_000)
  assert.equal(dirty.isOverflowing, false)
})

test('names that a server may not have do not lead anywhere', () => {
  const names = ['a', '', '.', '..', 'a/b', 'x'.repeat(1_025)]

  const paths = names.map((name) => childOf('/lb', '/lb', name))

  assert.deepEqual(paths, ['/lb/a', null, null, null, null, null])
  assert.deepEqual(
    ['/lb', '/lb/a/b', '/lb2', '/'].map((path) => below('/lb', path)),
    ['', 'a/b', null, null],
  )
})

test('a key is a znode with data, or without children', () => {
  const times = { createdAt: 1n, setAt: 255n, createdMs: 0n }
  const stat = { ...times, version: 0, isEphemeral: false, owner: 0n }
  const read = (data: string, children: number, isFlat = false): unknown =>
    toEntry('/lb', '/lb/a', { data: Buffer.from(data), stat: { ...stat, children } }, isFlat)?.text

  assert.deepEqual(
    [read('x', 0), read('x', 1), read('', 0), read('', 1), read('\u0001', 0), read('x', 1, true)],
    ['x', 'x', '', undefined, undefined, undefined],
  )
  assert.equal(
    toEntry('/lb', '/lb/a', { data: Buffer.from('x'), stat: { ...stat, children: 0 } })?.revision,
    '0xff',
  )
})
