import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  LARGE_BYTES,
  LENT,
  owned,
  SocketReads,
  type Reader,
} from '../../src/http/connection/socket-reads.ts'

/** What Node does with an `onread` option: a buffer when the socket is created, and one after each read. */
function createSocket(given: Partial<Reader> = {}): {
  reader: { streams: boolean; isCopied: boolean }
  reads: SocketReads
  read: () => Buffer
} {
  const reader = {
    streams: false,
    isCopied: false,
    received: (): void => {},
    caught: (error: unknown): void => {
      throw error
    },
    ...given,
  }
  const reads = new SocketReads()
  reads.reader = reader
  let current = reads.buffer()
  const read = (): Buffer => {
    reads.callback(1)
    current = (reads.buffer() as Buffer | undefined) ?? current
    return current
  }
  return { reader, reads, read }
}

test('reads heads into one small buffer that all sockets share', () => {
  const [first, second] = [createSocket(), createSocket()]

  assert.equal(first.read(), LENT)
  assert.equal(second.read(), LENT)
})

test('reads a long body into a large buffer of its own, and another one once that is in use', () => {
  const [first, second] = [createSocket({ streams: true }), createSocket({ streams: true })]

  const before = first.read()
  first.reads.leaveBuffer()
  const after = first.read()

  assert.equal(before.length, LARGE_BYTES)
  assert.notEqual(before, second.read())
  assert.notEqual(before, after)
  assert.equal(after.length, LARGE_BYTES)
  assert.equal(owned(before.subarray(0, 9)).buffer, before.buffer)
})

test('reads long bodies that are copied into one large buffer that sockets share', () => {
  const [first, second] = [
    createSocket({ streams: true, isCopied: true }),
    createSocket({ streams: true, isCopied: true }),
  ]

  const shared = first.read()

  assert.equal(shared.length, LARGE_BYTES)
  assert.equal(second.read(), shared)
  assert.notEqual(owned(shared.subarray(0, 9)).buffer, shared.buffer)
  first.reader.streams = false
  assert.equal(first.read(), LENT)
})

test('gives its own buffer back before it reads into a shared one', () => {
  const first = createSocket({ streams: true })
  const own = first.read()

  first.reader.isCopied = true
  const shared = first.read()
  const second = createSocket({ streams: true }).read()

  assert.notEqual(shared, own)
  assert.equal(second, own)
})
