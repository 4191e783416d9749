// needs: go
/** Patterns of keys against path.Match of Go's standard library. */
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { compileKeyPattern } from '../../src/template/key-pattern.ts'
import { TemplateError } from '../../src/template/value.ts'
import { createChance } from '../fuzz/random.ts'
import { makeFolder } from '../support/program.ts'

const ORACLE = fileURLToPath(new URL('../support/go/path-match.go', import.meta.url))
const COUNT = 20_000
const PIECES = [
  'a',
  'b',
  'é',
  '/',
  '*',
  '?',
  '[ab]',
  '[^a]',
  '[a-c]',
  '[',
  ']',
  '-',
  '^',
  '\\*',
  '\\',
  '[]a]',
  '**',
]
const LETTERS = ['a', 'b', 'c', 'é', '/', '*', '-', ']', '^', '日']

test('a pattern matches the keys that it matches in Go, or is an error to both', async (t) => {
  const chance = createChance(1)
  const pick = (from: readonly string[], most: number): string =>
    Array.from({ length: chance.below(most + 1) }, () => chance.pick(from)).join('')
  const questions = Array.from({ length: COUNT }, () => ({
    pattern: pick(PIECES, 6),
    key: pick(LETTERS, 6),
  }))
  const folder = makeFolder(t)
  const program = join(folder, 'oracle')
  const env = { ...process.env, GOCACHE: join(folder, 'cache'), GO111MODULE: 'off' }
  await promisify(execFile)('go', ['build', '-o', program, ORACLE], { env })

  const input = questions.map((one) => JSON.stringify(one)).join('\n')
  const printed = execFileSync(program, { input, maxBuffer: 1 << 26 })
    .toString()
    .trim()
    .split('\n')
  const expected = printed.map((line) => JSON.parse(line) as boolean | null)
  const found = questions.map(({ pattern, key }) => match(pattern, key))

  const different = questions.flatMap((question, at) =>
    expected[at] === found[at] ? [] : [{ ...question, go: expected[at], own: found[at] }],
  )
  assert.deepEqual(different.slice(0, 5), [])
  const matching = expected.filter((one) => one === true).length
  assert.ok(matching > COUNT / 50, `${matching} of ${COUNT} match`)
})

/** Null: the pattern is wrong. */
function match(pattern: string, key: string): boolean | null {
  try {
    return compileKeyPattern(pattern)(key)
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    return null
  }
}
