import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fieldValue, twoFieldValues } from '../../src/http/message/fields.ts'

const names = [
  'Referer',
  'referer',
  'REFERER',
  'User-Agent',
  'user-agent',
  'Refer',
  'User-Agents',
  'X',
]
const lines = fc.array(
  fc
    .tuple(
      fc.constantFrom(...names),
      fc.constantFrom('', ' ', '\t '),
      fc.constantFrom('', 'a', 'b: c'),
    )
    .map(([name, blank, value]) => `${name}:${blank}${value}${blank}\r\n`),
  { maxLength: 6 },
)

test('two fields that are looked up together have the values that each has alone', () => {
  fc.assert(
    fc.property(lines, (all) => {
      const fields = all.join('')

      const { first, second } = twoFieldValues(fields, 'user-agent', 'referer')

      assert.equal(first, fieldValue(fields, 'user-agent'))
      assert.equal(second, fieldValue(fields, 'referer'))
    }),
  )
})
