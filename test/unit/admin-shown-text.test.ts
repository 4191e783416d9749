import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { hideKeys } from '../../src/admin/objects/changes.ts'
import { openText, shownJson, shownText } from '../../src/admin/objects/shown-text.ts'
import { tableText } from '../../src/admin/table.ts'

const NAMES = [
  ...['secret', 'Password', 'AUTHORIZATION', 'proxy-authorization', 'X-Api-Key', 'key', 'Key'],
  ...['cert', 'Cert', 'onTripped', 'OnStandby', 'health', 'headers', 'url', 'route', 'labels', 'a'],
]
const TEXTS = [
  ...[
    'http://u:p@a/',
    'https://token@a',
    'http://a/@',
    'x',
    '',
    'Host("a")',
    'redis://:p@h:1',
    'http://a"b:p@h',
  ],
  ...[
    '-----BEGIN PRIVATE KEY-----\nx',
    '-----BEGIN RSA PRIVATE KEY-----',
    '\u2028\u202e\u0085',
    '\\u0041',
  ],
]
const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(...TEXTS),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...NAMES), tie('value'), { maxKeys: 4 }),
  ),
})).value

test('a text that is written without a look at each member hides what the slow way hides', () => {
  fc.assert(
    fc.property(value, (one) => {
      assert.equal(shownJson(one), JSON.stringify(hideKeys(one)))
      assert.deepEqual(JSON.parse(shownText(one)), JSON.parse(shownJson(one)))
      assert.deepEqual(JSON.parse(openText(one)), JSON.parse(JSON.stringify(one)))
      assert.doesNotMatch(shownText(one) + openText(one), /[\u007f-\u009f\u2028\u202e]/)
    }),
    { numRuns: 2000 },
  )
})

test('an entry of the table is written as it is, times as ISO 8601, and keys are hidden in it', () => {
  const entry = (id: string, object: object): { kind: string; id: string } => ({
    ...{ kind: 'frontend', id, key: '"object":"(object)"', since: 1.7e12, object },
  })
  const objects = [
    entry('plain', { route: 'Host("a")', text: '\u2028', nested: { object: '(object)' } }),
    entry('pair', { cert: 'C', key: 'K' }),
    entry('pem', { deep: [{ text: '-----BEGIN PRIVATE KEY-----' }] }),
    entry('timed', { lastAt: 1.7e12, count: 1.7e12 }),
  ]

  const text = [...tableText({ objects, setAside: [] }, { kind: null, id: null })].join('')

  const shown = JSON.parse(text) as { objects: readonly Record<string, unknown>[] }
  assert.deepEqual(
    shown.objects.map(({ object }) => object),
    [
      { route: 'Host("a")', text: '\u2028', nested: { object: '(object)' } },
      { cert: 'C', key: '(hidden)' },
      { deep: [{ text: '(hidden)' }] },
      { lastAt: '2023-11-14T22:13:20.000Z', count: 1.7e12 },
    ],
  )
  assert.equal(shown.objects[0]?.['since'], '2023-11-14T22:13:20.000Z')
  assert.equal(shown.objects[0]?.['key'], '"object":"(object)"')
  assert.doesNotMatch(text, /\u2028/)
})
