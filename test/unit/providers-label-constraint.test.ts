import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseConstraint } from '../../src/providers/labels/constraint.ts'

const LABELS = new Map([
  ['tier', 'web'],
  ['env', 'staging'],
  ['a.tag', ''],
])

function holds(value: unknown): boolean | string {
  const parsed = parseConstraint(value)
  return parsed.ok ? parsed.value(LABELS) : parsed.reason
}

test("Traefik's expressions hold as in Traefik", () => {
  const held = [
    'Label(`tier`, `web`)',
    'Label("tier","web") && LabelRegex("env", "^st.*g$")',
    'LabelRegex(`env`, `ag`)',
    '!Label(`tier`, `db`)',
    '!(Label(`tier`, `db`) || Label(`env`, `live`))',
    'Label(`tier`, `db`) || Label(`tier`, `web`) && !Label(`x`, `y`)',
    'Tag(`tier=web`) && Tag(`a.tag`) && TagRegex(`^a\\.`)',
  ]

  assert.deepEqual(
    held.map(holds),
    held.map(() => true),
  )
  assert.equal(holds('Label(`tier`, `we`)'), false)
  assert.equal(holds('LabelRegex(`tier`, `^eb`)'), false)
  assert.equal(holds('!!Label(`tier`, `db`)'), false)
  assert.equal(holds('Tag(`tier`)'), false)
})

test('a map holds if every label has one of its values', () => {
  assert.equal(holds({ tier: 'web' }), true)
  assert.equal(holds({ tier: ['db', 'web'], env: 'staging' }), true)
  assert.equal(holds({ tier: 'web', env: 'live' }), false)
  assert.equal(holds({ missing: 'x' }), false)
  assert.equal(holds({}), true)
})

test('what is no constraint is refused with the place and the reason', () => {
  assert.equal(holds(7), 'must be an expression or a map of labels, not 7')
  assert.equal(holds({ tier: [] }), '"tier" must be a text or a list of texts, not a list')
  assert.equal(holds({ tier: null }), '"tier" must be a text or a list of texts, not nothing')
  assert.equal(
    holds('Lable(`a`, `b`)'),
    'there is no "Lable"; there are Label, LabelRegex, Tag, TagRegex (at character 1)',
  )
  assert.equal(
    holds('Label(`a`)'),
    'found ")", expected ",", as in Label("name", "value") (at character 10)',
  )
  assert.equal(
    holds('Label(`a`, `b`) Label(`a`, `b`)'),
    'found "Label", expected "&&", "||" or the end (at character 17)',
  )
  assert.match(String(holds('LabelRegex(`a`, `(`)')), /is not a regular expression of RE2/)
  assert.match(String(holds('!'.repeat(40) + 'Label(`a`, `b`)')), /nested more than 32 deep/)
  assert.match(String(holds('('.repeat(400))), /nested more than 32 deep/)
  assert.match(String(holds('Label(`a`, `b`)'.padEnd(5_000))), /at most 4096 are taken/)
})
