/** What HPACK remembers of former heads, against a reader that remembers nothing: seeded heads that repeat, resize, insert and break. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  COMPRESSION,
  type DecodeResult,
  HeadDecoder,
  MALFORMED,
  OK,
  TOO_LARGE,
} from '../../src/http2/hpack/head-decoder.ts'
import { HeadEncoder } from '../../src/http2/hpack/head-encoder.ts'
import { HpackReader, indexed, literal, tableSize } from '../support/http2/hpack.ts'
import type { Field } from '../support/message.ts'

const OUT = Buffer.alloc(64 * 1024)

/** mulberry32 */
function randomOf(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

const NAMES = ['x-a', 'x-b', 'user-agent', 'cookie', 'x-forwarded-for', 'authorization', 'te']

/** One piece of a block: a reference, a literal, or something that makes the head malformed. */
function piece(random: (below: number) => number): Buffer {
  const name = NAMES[random(NAMES.length)] ?? ''
  const value = name === 'te' ? 'trailers' : 'v'.repeat(1 + random(3) * random(60))
  switch (random(8)) {
    case 0:
      return literal(name, value)
    case 1:
      return literal(name, value, { indexing: 'never' })
    case 2:
      return literal(62 + random(4), `n${random(3)}`, { indexing: 'incremental' })
    case 3:
    case 4:
      return literal(name, value, { indexing: 'incremental', huffman: random(2) === 0 })
    case 5:
      if (random(6) === 0) return literal('Bad', '1', { indexing: 'incremental' })
      if (random(3) > 0) return indexed(16)
      // More than a decoder remembers of one block.
      return Buffer.concat(
        Array.from({ length: 18 }, (_, n) => literal('x-m', `${n}`, { indexing: 'incremental' })),
      )
    default:
      return Buffer.concat(Array.from({ length: 1 + random(5) }, () => indexed(62 + random(6))))
  }
}

function blockOf(random: (below: number) => number, trailers: boolean): Buffer {
  const sizes = random(8) === 0 ? [tableSize([0, 100, 200, 4096][random(4)] ?? 0)] : []
  if (sizes.length > 0 && random(2) === 0) sizes.push(tableSize(4096))
  const start = trailers ? [] : [indexed(2), indexed(7), indexed(4), literal(1, 'x')]
  const pieces = Array.from({ length: random(6) }, () => piece(random))
  return Buffer.concat([...sizes, ...start, ...pieces])
}

function linesOf(fields: readonly Field[], names: (name: string) => boolean): string[] {
  return fields.filter(([name]) => names(name)).map(([name, value]) => `${name}: ${value}\r\n`)
}

function isPlain(name: string): boolean {
  return !name.startsWith(':') && !['cookie', 'te', 'x-forwarded-for'].includes(name)
}

/** A head that both readers take is the same to both. */
function compare(decoder: HeadDecoder, fields: readonly Field[], trailers: boolean): void {
  if (trailers) {
    assert.equal(decoder.fields, linesOf(fields, () => true).join(''))
    return
  }
  assert.equal(decoder.fields, linesOf(fields, isPlain).join(''))
  const crumbs = fields.filter(([name]) => name === 'cookie').map(([, value]) => value)
  assert.equal(decoder.cookie, crumbs.join('; '))
  const cookieLine = crumbs.length === 0 ? '' : `cookie: ${crumbs.join('; ')}\r\n`
  assert.equal(decoder.fieldsWithCookie, decoder.fields + cookieLine)
  const forwarding = linesOf(fields, (name) => name === 'x-forwarded-for').join('')
  assert.equal(decoder.forwarding, forwarding)
  const logins = fields.filter(([name]) => name === 'authorization').map(([, value]) => value)
  assert.equal(decoder.authorization, logins.join('\n'))
  assert.equal(
    decoder.te,
    fields.some(([name]) => name === 'te'),
  )
}

/** The results of one connection's blocks. */
function follow(seed: number, limits: { fields: number; headBytes: number }): DecodeResult[] {
  const random = randomOf(seed)
  const decoder = new HeadDecoder('request', limits)
  const reader = new HpackReader(4096)
  const results: DecodeResult[] = []
  let last: readonly [Buffer, boolean] = [blockOf(random, false), false]
  const known = [last]
  for (let step = 0; step < 200; step++) {
    const choice = random(10)
    if (choice >= 5) last = known[random(known.length)] ?? last
    if (choice === 9) {
      const trailers = random(4) === 0
      last = [blockOf(random, trailers), trailers]
      known[random(6)] = last
    }
    const [block, trailers] = last
    let fields: Field[] | null = null
    try {
      fields = reader.read(block)
    } catch {
      // A reference to nothing: both end the connection.
    }
    const result = decoder.decode(block, 0, block.length, trailers)
    results.push(result)
    assert.equal(result === COMPRESSION, fields === null, `seed ${seed}, step ${step}`)
    if (fields === null) return results
    const size = fields.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0)
    const count = fields.filter(([name]) => !name.startsWith(':')).length
    const isTooLarge = size > limits.headBytes || count > limits.fields
    assert.equal(result === TOO_LARGE, isTooLarge, `seed ${seed}, step ${step}`)
    if (result === OK) compare(decoder, fields, trailers)
  }
  return results
}

test('heads that repeat are read as if each one were new', () => {
  const counts = new Map<DecodeResult, number>()
  for (let seed = 1; seed <= 400; seed++) {
    const limits = { fields: 6 + 3 * (seed % 9), headBytes: 400 + 200 * (seed % 7) }
    for (const result of follow(seed, limits)) counts.set(result, (counts.get(result) ?? 0) + 1)
  }

  for (const result of [OK, MALFORMED, TOO_LARGE, COMPRESSION] as const)
    assert.ok((counts.get(result) ?? 0) > 50, `result ${result}: ${counts.get(result)}`)
})

test('clients that share a connection to a server get no field of one another', () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = randomOf(seed)
    const encoder = new HeadEncoder()
    const reader = new HpackReader(4096)
    for (let step = 0; step < 200; step++) {
      if (random(20) === 0) encoder.resize([0, 64, 300, 4096, 65_536][random(5)] ?? 0)
      const client = random(12)
      const lines: Field[] = [
        ['user-agent', `client ${client}`],
        ['authorization', `Bearer ${client}`],
        ['cookie', `id=${client}`],
        ['x-n', String(random(3))],
      ]
      if (client % 3 === 0) lines.splice(random(lines.length), 1)
      const more: Field[] = [
        ['x-forwarded-for', `10.0.0.${client}`],
        ['x-request-id', `${seed}-${step}`],
      ]
      const text = linesOf(lines, () => true).join('')
      const added = linesOf(more, () => true)
        .join('')
        .replace('x-request-id', random(2) === 0 ? 'X-Request-Id' : 'x-request-id')
      const line = { method: 'GET', scheme: 'https', authority: `h${client % 4}`, path: '/' }
      const end = encoder.request(OUT, 0, { ...line, protocol: '', contentLength: -1 }, text, added)

      const fields = reader.read(OUT.subarray(0, end))
      assert.deepEqual(
        fields.filter(([name]) => !name.startsWith(':')),
        [...lines, ...more],
        `seed ${seed}, step ${step}`,
      )
      assert.deepEqual(fields.find(([name]) => name === ':authority')?.[1], line.authority)
      assert.ok(!reader.holds((name) => name === 'cookie' || name === 'authorization'))
    }
  }
})
