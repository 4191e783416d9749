/** HPACK decoding of the references that one head after the other of a client has in a row. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { COMPRESSION, HeadDecoder, OK, TOO_LARGE } from '../../src/http2/hpack/head-decoder.ts'

const LIMITS = { fields: 100, headBytes: 32 * 1024 }

function decode(decoder: HeadDecoder, hex: string): number {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex')
  return decoder.decode(bytes, 0, bytes.length, false)
}

/** A literal field that is not indexed, without Huffman. */
function literal(name: string, value: string): string {
  const bytes = [0, name.length, ...Buffer.from(name, 'latin1'), value.length]
  return Buffer.from([...bytes, ...Buffer.from(value, 'latin1')]).toString('hex')
}

/** `:method GET`, `:scheme https`, `:path /`, `:authority x`. */
const START = '82 87 84 01 01 78'

/** Inserts `name: value` into the table. */
function insertion(name: string, value: string): string {
  return `40${literal(name, value).slice(2)}`
}

/** A request with this path and then the fields of the block. */
function fieldsOf(decoder: HeadDecoder, path: string, block: string): string {
  assert.equal(decode(decoder, `8287 ${literal(':path', path)} 01 01 78 ${block}`), OK)
  assert.equal(decoder.path, path)
  return decoder.fields
}

test('references that repeat in heads of different paths are the same fields', () => {
  const decoder = new HeadDecoder('request', LIMITS)
  fieldsOf(decoder, '/', ['a', 'b', 'c', 'd'].map((name) => insertion(name, '1')).join(''))
  const all = 'a: 1\r\nb: 1\r\nc: 1\r\nd: 1\r\n'

  for (const path of ['/1', '/2', '/3']) {
    assert.equal(fieldsOf(decoder, path, 'c1c0bfbe'), all)
    assert.equal(fieldsOf(decoder, path, 'c1c0bfbe be'), `${all}d: 1\r\n`)
    assert.equal(fieldsOf(decoder, path, 'be c1c0bfbe'), `d: 1\r\n${all}`)
    assert.equal(fieldsOf(decoder, path, 'c1c0bf'), 'a: 1\r\nb: 1\r\nc: 1\r\n')
  }
})

test('references that repeat stand for other fields once the table has changed', () => {
  const decoder = new HeadDecoder('request', LIMITS)
  fieldsOf(decoder, '/', ['a', 'b', 'c'].map((name) => insertion(name, '1')).join(''))
  for (const path of ['/1', '/2', '/3']) fieldsOf(decoder, path, 'c0bfbe')

  const inserting = fieldsOf(decoder, '/4', insertion('cookie', 'x'))
  const after = fieldsOf(decoder, '/5', 'c0bfbe')
  const { cookie } = decoder
  assert.equal(decode(decoder, `20 ${START} c0bfbe`), COMPRESSION)

  assert.deepEqual([inserting, after, cookie], ['', 'b: 1\r\nc: 1\r\n', 'x'])
})

test('references that repeat count as each of them does', () => {
  const decoder = new HeadDecoder('request', { fields: 5, headBytes: 32 * 1024 })
  fieldsOf(decoder, '/', ['a', 'b', 'c'].map((name) => insertion(name, '1')).join(''))
  for (const path of ['/1', '/2', '/3']) fieldsOf(decoder, path, 'c0bfbe')

  const within = decode(decoder, `${START} c0bfbe c0bf`)
  const { fields } = decoder
  const beyond = decode(decoder, `${START} c0bfbe c0bfbe`)

  assert.equal(within, OK)
  assert.equal(fields, 'a: 1\r\nb: 1\r\nc: 1\r\na: 1\r\nb: 1\r\n')
  assert.equal(beyond, TOO_LARGE)
})
