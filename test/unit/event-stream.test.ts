import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { createSseParser } from '../../src/http/server-sent-events.ts'
import { createJsonSplitter } from '../../src/providers/http-client/event-stream.ts'

/** The text in pieces that end at any place. */
function pieces(text: string, cuts: readonly number[]): readonly string[] {
  const places = [
    0,
    ...cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b),
    text.length,
  ]
  return places.slice(1).map((end, at) => text.slice(places[at], end))
}

test('JSON documents come out as they went in, wherever the chunks end', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.object(), fc.array(fc.jsonValue()))),
      fc.constantFrom('', '\n', '\r\n '),
      fc.array(fc.nat()),
      (documents, between, cuts) => {
        const text = documents.map((one) => JSON.stringify(one) + between).join('')
        const split = createJsonSplitter(1 << 20)

        const found = pieces(text, cuts).flatMap((chunk) => split(chunk))

        assert.deepEqual(
          found,
          documents.map((one) => JSON.stringify(one)),
        )
      },
    ),
  )
})

test('events come out as they went in, wherever the chunks end, with any line end', () => {
  const line = fc.string().map((text) => text.replace(/[\r\n]/g, ''))
  fc.assert(
    fc.property(
      fc.array(fc.array(line, { minLength: 1, maxLength: 3 })),
      fc.constantFrom('\n', '\r\n', '\r'),
      fc.array(fc.nat()),
      (events, end, cuts) => {
        const text = events
          .map((lines) => ['event: e', ...lines.map((one) => `data: ${one}`), '', ''].join(end))
          .join('')
        const parse = createSseParser(1 << 20)

        const found = [...pieces(text, cuts), '\n'].flatMap((chunk) => parse(chunk))

        assert.deepEqual(
          found,
          events.map((lines) => ({ type: 'e', data: lines.join('\n'), id: '', isCut: false })),
        )
      },
    ),
  )
})

test('comments, unknown fields and events without data are left out', () => {
  const parse = createSseParser(100)

  assert.deepEqual(parse(': keep alive\n\nevent: empty\n\nid: 1\ndata:x\n\n'), [
    { type: 'message', data: 'x', id: '1', isCut: false },
  ])
})

test('an id holds from the end of its event on, also of one without data', () => {
  const noted: unknown[] = []
  const parse = createSseParser(100, {
    id: (id) => noted.push(id),
    retry: (ms) => noted.push(ms),
  })

  const found = parse('retry: 50\nretry: x\nid: 1\n\nid: 2\ndata: a\n\ndata: b\n\nid: 3\ndata: c\n')

  assert.deepEqual(
    found.map(({ id, data }) => [id, data]),
    [
      ['2', 'a'],
      ['2', 'b'],
    ],
  )
  assert.deepEqual(noted, [50, '1', '2'])
})

test('a document without an end is refused once it is too long', () => {
  assert.throws(() => createJsonSplitter(10)(`{"a":"${'x'.repeat(20)}`), /more than 10 characters/)
})

test('an event that is too long loses its data, and no other event is lost', () => {
  const long = 'x'.repeat(50)
  const text = [
    `event: one\r\ndata: ${long}\r\n\r\n`,
    `event: two\r\ndata: 12345\r\ndata: 12345\r\ndata: 12345\r\n\r\n`,
    `: ${long}\r\nevent: three\r\ndata: 3\r\n\r\n`,
  ].join('')
  fc.assert(
    fc.property(fc.array(fc.nat()), (cuts) => {
      const parse = createSseParser(15)

      const found = pieces(text, cuts).flatMap((chunk) => parse(chunk))

      assert.deepEqual(found, [
        { type: 'one', data: '', id: '', isCut: true },
        { type: 'two', data: '', id: '', isCut: true },
        { type: 'three', data: '3', id: '', isCut: false },
      ])
    }),
  )
})
