import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { JsonFault, walkJson } from '../../src/document/json-walk.ts'

/** Whether the walk takes `text` as one whole value. */
function takes(text: string): boolean {
  try {
    const end = walkJson(text, 0, false, () => false)
    return text.slice(end).trim() === ''
  } catch (error) {
    assert.ok(error instanceof JsonFault, String(error))
    assert.ok(error.offset >= 0 && error.offset <= text.length)
    return false
  }
}

function parses(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

test('tells each member and item with its depth, its step and its place', () => {
  const seen: unknown[] = []

  walkJson(' {"a": [true, {"\\u0062" : -1.5e3}]}', 0, false, (...visit) => {
    seen.push(visit)
    return false
  })

  assert.deepEqual(seen, [
    [0, 'a', 2, 7],
    [1, 0, 8, 8],
    [1, 1, 14, 14],
    [2, 'b', 15, 26],
  ])
})

test('finds a key twice in a map of any size', () => {
  const keys = Array.from({ length: 100 }, (_, at) => `"k${at}": 0`)
  const text = `[[{${[...keys, '"k7": 1'].join(',')}}]]`

  assert.throws(() => walkJson(text, 0, true, () => false), /the key "k7" occurs twice in one map/)
})

test('takes the word of its visitor for a key that stood there before', () => {
  const known = new Set<unknown>()
  const hasSeen = (_depth: number, step: string | number): boolean =>
    known.size === known.add(step).size

  assert.throws(
    () => walkJson('{"a": 0, "b": 0, "a": 1}', 0, true, hasSeen),
    (error) => error instanceof JsonFault && error.offset === 17,
  )
})

test('takes exactly the texts that JSON.parse takes', () => {
  const broken = fc
    .tuple(
      fc.json(),
      fc.nat(),
      fc.constantFrom('', '"', '\\', '{', ']', ',', ':', '0', '\n', 'e', '-'),
    )
    .map(([text, at, piece]) => {
      const cut = at % (text.length + 1)
      return text.slice(0, cut) + piece + text.slice(cut + (at % 2))
    })
  fc.assert(
    fc.property(fc.oneof(fc.json({ maxDepth: 4 }), broken), (text) => {
      // It is stricter in one point only, and says so.
      fc.pre(!hasTwin(text))
      assert.equal(takes(text), parses(text), text)
    }),
    { numRuns: 5000 },
  )
})

function hasTwin(text: string): boolean {
  try {
    walkJson(text, 0, false, () => false)
    return false
  } catch (error) {
    return error instanceof JsonFault && error.message.includes('occurs twice')
  }
}
