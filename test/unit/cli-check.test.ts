import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { checkFile, type CheckDocument } from '../../src/cli/check.ts'

/** The lines (the file's path as FILE) and the exit code. */
function check(
  t: TestContext,
  text: string | Buffer,
  admit: CheckDocument = () => [],
  name = 'a.yaml',
): readonly (string | number)[] {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-check-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, name)
  writeFileSync(path, text)
  const lines: string[] = []
  const code = checkFile(path, admit, { env: {}, readFile: () => '' }, (line) => lines.push(line))
  return [...lines.map((line) => line.replaceAll(path, 'FILE')), code]
}

test('a good file is told with what it holds', (t) => {
  const text = 'listeners: { web: {} }\nfrontends: { a: {}, b: {} }\n'

  assert.deepEqual(check(t, text), ['FILE: good, 1 listener, 0 backends, 2 frontends', 0])
})

test('prints the problems of outline, settings and objects in the order of the file', (t) => {
  const text = `frontends:
  vote: { route: '(' }
wrokers: 2
log: { level: loud }
`
  const admit: CheckDocument = (document) =>
    document.objects.map((object) => ({
      kind: object.kind,
      id: object.id,
      message: 'route: no',
      source: 'file',
      key: object.key,
      ...document.locate(object, ['route']),
    }))

  assert.deepEqual(check(t, text, admit), [
    'FILE:2:11: frontend vote: route: no',
    'FILE:3:1: settings: unknown key "wrokers", did you mean "workers"?',
    'FILE:4:8: settings: log.level: must be fatal or error or warn or info or debug or trace or silent, not "loud"',
    'FILE: 3 problems',
    1,
  ])
})

const LEVELS: readonly (readonly [
  levels: readonly (string | undefined)[],
  last: string,
  code: number,
])[] = [
  [['hint'], 'FILE: good, 1 listener, 0 backends, 1 frontend, 1 hint', 0],
  [['hint', 'warning', 'hint'], 'FILE: 1 warning, 2 hints', 1],
  [[undefined, 'warning', 'warning'], 'FILE: 1 problem, 2 warnings', 1],
]

for (const [levels, last, code] of LEVELS) {
  test(`${levels.join(', ')} ends with ${code}`, (t) => {
    const text = 'listeners: { web: {} }\nfrontends: { a: {} }\n'
    const admit: CheckDocument = () =>
      levels.map((level) => ({
        kind: 'frontend' as const,
        id: 'a',
        message: 'is so',
        source: 'file',
        key: '',
        ...(level === 'warning' || level === 'hint' ? { level } : {}),
      }))

    assert.deepEqual(check(t, text, admit), [
      ...levels.map((level) => `FILE: ${level === undefined ? '' : `${level}: `}frontend a: is so`),
      last,
      code,
    ])
  })
}

test('a file that cannot be parsed is one problem with its place', (t) => {
  assert.deepEqual(
    check(t, '{"a": 1,}', () => [], 'a.json'),
    [
      'FILE:1:9: file: is not valid JSON: expected a key in double quotes, found "}"',
      'FILE: 1 problem',
      1,
    ],
  )
  assert.deepEqual(check(t, ''), ['FILE: file: is empty', 'FILE: 1 problem', 1])
})

test('a file that is not UTF-8 is told in one line', (t) => {
  assert.deepEqual(check(t, Buffer.from([0x61, 0x3a, 0xff])), ['FILE: is not UTF-8 text', 1])
})

test('a file that is not there is told in one line', () => {
  const lines: string[] = []

  const code = checkFile(
    'no/such.yaml',
    () => [],
    { env: {}, readFile: () => '' },
    (line) => lines.push(line),
  )

  assert.deepEqual(lines, ['no/such.yaml: there is no such file'])
  assert.equal(code, 1)
})

test('what a hostile file says cannot move the cursor of a terminal', (t) => {
  const admit: CheckDocument = ({ objects }) =>
    objects.map(({ kind, id, key }) => ({ kind, id, message: 'bad', source: 'file', key }))

  assert.deepEqual(check(t, 'frontends: { "a\\e[2J": {} }\n', admit), [
    'FILE: frontend a\\u001b[2J: bad',
    'FILE: 1 problem',
    1,
  ])
})
