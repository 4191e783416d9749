import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseDocument, parseSettings, type ReadableDocument } from '../../src/document/document.ts'
import type { Problem } from '../../src/model/problem.ts'

const YAML = `# a comment
workers: 2
backends:
  vote:
    servers:
      v1: http://127.0.0.1:5001
      v2: { url: http://127.0.0.1:5002, weight: 3 }
frontends:
  vote: { route: 'Host("vote.localhost")', backend: vote }
`
const JSON_TEXT = `{
  "workers": 2,
  "backends": {
    "vote": { "servers": { "v1": "http://127.0.0.1:5001",
                           "v2": { "url": "http://127.0.0.1:5002", "weight": 3 } } }
  },
  "frontends": {
    "vote": { "route": "Host(\\"vote.localhost\\")", "backend": "vote", "middlewares": [{ "kind": "a" }] }
  }
}
`

function readable(text: string, filename: string): ReadableDocument {
  const document = parseDocument(text, filename)
  assert.ok(document.readable, JSON.stringify(document.problems))
  return document
}

/** `3:1 message`, or the message alone where there is no place. */
function faultOf(text: string, filename: string): string {
  const document = parseDocument(text, filename)
  assert.equal(document.readable, false)
  assert.equal(document.problems.length, 1)
  const [problem] = document.problems
  assert.equal(problem?.kind, 'file')
  return show(problem)
}

function show({ message, line, column }: Problem): string {
  return line === undefined ? message : `${line}:${column} ${message}`
}

test('takes a YAML file apart into settings and objects with their places', () => {
  const document = readable(YAML, 'sluice.yaml')

  assert.deepEqual(document.settings, { workers: 2 })
  assert.deepEqual(document.problems, [])
  assert.deepEqual(document.objects, [
    {
      kind: 'backend',
      id: 'vote',
      value: {
        servers: {
          v1: 'http://127.0.0.1:5001',
          v2: { url: 'http://127.0.0.1:5002', weight: 3 },
        },
      },
      key: 'sluice.yaml#/backends/vote',
      line: 4,
      column: 3,
    },
    {
      kind: 'frontend',
      id: 'vote',
      value: { route: 'Host("vote.localhost")', backend: 'vote' },
      key: 'sluice.yaml#/frontends/vote',
      line: 9,
      column: 3,
    },
  ])
})

test('takes a JSON file apart into the same', () => {
  const document = readable(JSON_TEXT, 'sluice.json')

  assert.deepEqual(document.settings, { workers: 2 })
  assert.deepEqual(
    document.objects.map(({ key, line, column }) => [key, line, column]),
    [
      ['sluice.json#/backends/vote', 4, 5],
      ['sluice.json#/frontends/vote', 8, 5],
    ],
  )
})

test('locates the members of an object, or the nearest thing that is there', () => {
  const vote = { kind: 'backend', id: 'vote' } as const
  const yaml = readable(YAML, 'a.yaml')
  const json = readable(JSON_TEXT, 'a.json')

  assert.deepEqual(yaml.locate(vote, ['servers', 'v2', 'weight']), { line: 7, column: 41 })
  assert.deepEqual(yaml.locate(vote, ['servers', 'v3', 'url']), { line: 5, column: 5 })
  assert.deepEqual(yaml.locate({ kind: 'backend', id: 'x' }, ['y']), { line: 3, column: 1 })
  assert.deepEqual(yaml.locate({ kind: 'listener', id: 'x' }, []), null)
  assert.deepEqual(yaml.locateSetting(['workers']), { line: 2, column: 1 })
  assert.deepEqual(json.locate(vote, ['servers', 'v2', 'weight']), { line: 5, column: 68 })
  assert.deepEqual(json.locate(vote, ['servers', 'v3', 'url']), { line: 4, column: 15 })
  assert.deepEqual(json.locate({ kind: 'frontend', id: 'vote' }, ['middlewares', 0, 'kind']), {
    line: 8,
    column: (JSON_TEXT.split('\n')[7] ?? '').indexOf('"kind"') + 1,
  })
  assert.deepEqual(json.locateSetting(['workers']), { line: 2, column: 3 })
})

test('locates by path, where the same key stands elsewhere, too', () => {
  const text = `{"frontends": {"f": {
"x": {"route": 1},
"route": {"x": {"route": 2}},
"y": [{"route": 3}, {"route": 4}]}}}`
  const document = readable(text, 'a.json')
  const line = (...path: readonly (string | number)[]): number | undefined =>
    document.locate({ kind: 'frontend', id: 'f' }, path)?.line

  assert.equal(line('route'), 3)
  assert.equal(line('x', 'route'), 2)
  assert.equal(line('y', 1, 'route'), 4)
  assert.deepEqual(document.locate({ kind: 'frontend', id: 'f' }, ['y', 1, 'route']), {
    line: 4,
    column: 22,
  })
})

test('keys at the top that begin with x- are a place for anchors, and for nothing else', () => {
  const text = `x-servers: &servers { v1: 'http://127.0.0.1:5001' }
x-: [1, 2]
backends:
  vote: { servers: *servers }
  result: { servers: { <<: *servers, v2: unix:/run/app.sock } }
X-upper: 1
`
  const document = readable(text, 'a.yaml')

  assert.deepEqual(
    document.objects.map(({ value }) => value),
    [
      { servers: { v1: 'http://127.0.0.1:5001' } },
      { servers: { v1: 'http://127.0.0.1:5001', v2: 'unix:/run/app.sock' } },
    ],
  )
  assert.deepEqual(document.settings, {})
  assert.deepEqual(
    document.problems.map(({ message }) => message),
    ['unknown key "X-upper"'],
  )
})

test('unknown keys and sections that are no maps are problems of their own, the rest is read', () => {
  const text = `frontend: {}
listeners: [web]
backends:
frontends: { a: 1 }
log: { level: info }
`
  const document = readable(text, 'a.yaml')

  assert.deepEqual(document.problems.map(show), [
    '1:1 unknown key "frontend", did you mean "frontends"?',
    '2:1 listeners must be a map of ids, not a list',
  ])
  assert.deepEqual(
    document.problems.map(({ kind, key }) => [kind, key]),
    [
      ['settings', 'a.yaml#/frontend'],
      ['listener', 'a.yaml#/listeners'],
    ],
  )
  assert.deepEqual(document.settings, { log: { level: 'info' } })
  assert.deepEqual(
    document.objects.map(({ kind, id, value }) => [kind, id, value]),
    [['frontend', 'a', 1]],
  )
})

test('a file that cannot be read is one problem, with its line and column', () => {
  assert.equal(faultOf('', 'a.yaml'), 'is empty')
  assert.equal(faultOf('# nothing\n', 'a.yaml'), 'is empty')
  assert.equal(faultOf('\n', 'a.json'), 'is empty')
  assert.equal(faultOf('web', 'a.yaml'), '1:1 must be a map at the top level, not "web"')
  assert.equal(faultOf('[1]', 'a.json'), '1:1 must be a map at the top level, not a list')
  assert.equal(faultOf('a: 1\nb: 2\na: 3\n', 'a.yaml'), '3:1 the key "a" occurs twice in one map')
  assert.match(faultOf('a:\n  - b\n c: d\n', 'a.yaml'), /^3:1 is not valid YAML: All mapping items/)
  assert.match(faultOf('a: "b\n', 'a.yaml'), /^2:1 is not valid YAML: /)
  assert.match(faultOf('a: 1\n---\nb: 2\n', 'a.yaml'), /holds more than one document/)
  assert.match(faultOf('a: !!set {b}\n', 'a.yaml'), /^1:4 is not valid YAML: /)
  assert.match(faultOf('<<: 3\n', 'a.yaml'), /^cannot be read: Merge sources must be maps/)
})

test('a JSON fault is told at its place', () => {
  const faults: Readonly<Record<string, string>> = {
    '{"a": 1,}': '1:9 is not valid JSON: expected a key in double quotes, found "}"',
    '{"a" 1}': '1:6 is not valid JSON: expected a colon, found "1"',
    '{"a": 1\n "b": 2}': '2:2 is not valid JSON: expected a comma or }, found "\\""',
    '{"a": [1 2]}': '1:10 is not valid JSON: expected a comma or ], found "2"',
    '{"a": 01}': '1:7 is not valid JSON: expected a value, found "0"',
    '{"a": nul}': '1:7 is not valid JSON: expected a value, found "n"',
    '{"a": "x\n"}': '1:9 is not valid JSON: a string has a raw control character, or no end',
    '{"a": "\\x"}': '1:8 is not valid JSON: a string has an unknown escape',
    '{"a": "x}': '1:7 is not valid JSON: a string has no end',
    '{"a": 1': '1:8 is not valid JSON: expected a comma or }, found the end',
    '{"a": 1} x': '1:10 is not valid JSON: there is text after the end',
    '{"a": 1, "\\u0061": 2}': '1:10 is not valid JSON: the key "a" occurs twice in one map',
    '{"b": {"x": 1, "x": 2}}': '1:16 is not valid JSON: the key "x" occurs twice in one map',
    '{"b": {"x": {"y": 1, "y": 2}}}': '1:22 is not valid JSON: the key "y" occurs twice in one map',
  }
  for (const [text, fault] of Object.entries(faults)) assert.equal(faultOf(text, 'a.json'), fault)
})

test('a byte order mark is no part of the text', () => {
  assert.deepEqual(readable('\uFEFFworkers: 1\n', 'a.yaml').settings, { workers: 1 })
  assert.deepEqual(readable('\uFEFF{"workers": 1}', 'a.json').settings, { workers: 1 })
})

test('takes the schema address that editors look for', () => {
  assert.deepEqual(readable('{"$schema": "./schema.json"}', 'a.json').problems, [])
})

test('merges anchors with <<, and ids that look like numbers are text', () => {
  const text = `backends:
  a: &a { servers: { s: http://a }, balance: round-robin }
  8080: { <<: *a, balance: least-connections }
`
  const { objects } = readable(text, 'a.yaml')

  assert.deepEqual(
    objects.map(({ id, value }) => [id, value]),
    [
      ['8080', { servers: { s: 'http://a' }, balance: 'least-connections' }],
      ['a', { servers: { s: 'http://a' }, balance: 'round-robin' }],
    ],
  )
})

test('a thousand uses of one anchor are fine', () => {
  const uses = Array.from({ length: 1000 }, (_, at) => `  f${at}: { <<: *f, priority: ${at} }`)

  const { objects } = readable(`frontends:\n  f: &f { route: x }\n${uses.join('\n')}`, 'a.yaml')

  assert.equal(objects.length, 1001)
})

test('aliases that make a billion values of a few lines are refused at once', () => {
  const levels = [...'bcdefghij'].map((name, at) => {
    const below = `*${'abcdefghij'[at]}`
    return `${name}: &${name} [${Array.from({ length: 10 }, () => below).join(', ')}]`
  })
  const bomb = ['a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]', ...levels].join('\n')

  assert.match(faultOf(bomb, 'a.yaml'), /aliases make more than 1000000 values of it$/)
})

test('an alias to itself, or to nothing, is refused', () => {
  assert.equal(faultOf('a: &a [*a]\n', 'a.yaml'), '1:8 the alias *a has no anchor before it')
  assert.equal(faultOf('a: *b\n', 'a.yaml'), '1:4 the alias *b has no anchor before it')
})

test('what is nested too deeply is refused, whatever the way', () => {
  const brackets = (count: number): string => `${'['.repeat(count)}${']'.repeat(count)}`

  for (const count of [40, 1000, 100_000]) {
    assert.match(faultOf(`{"a": ${brackets(count)}}`, 'a.json'), /is nested deeper than 32$/)
    assert.match(faultOf(`a: ${brackets(count)}`, 'a.yaml'), /is nested deeper than 32$/)
  }
  const chain = 'abcde'.split('').map((name, at) => {
    const below = at === 0 ? '1' : `*${'abcde'[at - 1]}`
    return `${name}: &${name} ${'['.repeat(10)}${below}${']'.repeat(10)}`
  })
  assert.match(faultOf(chain.join('\n'), 'a.yaml'), /is nested deeper than 32$/)
})

test('a prototype key stays an ordinary key, to be refused by its object', () => {
  for (const filename of ['a.yaml', 'a.json']) {
    const { objects } = readable('{"frontends": {"__proto__": {"__proto__": {"x": 1}}}}', filename)
    const [object] = objects

    assert.equal(object?.id, '__proto__')
    assert.ok(Object.hasOwn(object.value as object, '__proto__'))
    assert.equal(Object.getPrototypeOf(object.value), Object.prototype)
  }
})

test('no text makes it throw, and every problem of it has a message', () => {
  const piece = fc.constantFrom(
    ...[
      'frontends',
      'backends',
      'listeners',
      'log',
      'a',
      ':',
      ': ',
      '\n',
      '\n  ',
      '{',
      '}',
      '[',
      ']',
      ',',
    ],
    ...[
      '"',
      "'",
      '\\',
      '- ',
      '#',
      '&a ',
      '*a',
      '<<',
      '!!set',
      '|',
      '>',
      '%YAML 1.1',
      '---',
      '...',
      '\t',
    ],
    ...['1', 'null', '~', '\0', '\uFEFF', '\ud800', '?', '@', '`', '\r'],
  )
  const text = fc.oneof(
    fc.array(piece, { maxLength: 30 }).map((parts) => parts.join('')),
    fc.string({ unit: 'binary' }),
    fc.json(),
  )
  fc.assert(
    fc.property(text, fc.constantFrom('a.yaml', 'a.json'), (source, filename) => {
      const document = parseDocument(source, filename)
      for (const problem of document.problems) assert.notEqual(problem.message, '')
      if (!document.readable) return
      for (const object of document.objects) {
        assert.ok(object.line >= 1 && object.column >= 1)
        document.locate(object, ['a', 0])
      }
    }),
    { numRuns: 700 },
  )
})

test('reads the settings alone, in both notations, with their places', () => {
  const forms: Readonly<Record<string, string>> = {
    'a.json': '{"workers": 2,\n "log": {"level": "no"},\n "frontends": {"f": {}}}',
    'a.yaml': 'workers: 2\nlog: { level: no }\nfrontends: { f: {} }\n',
  }
  for (const [filename, text] of Object.entries(forms)) {
    const written = parseSettings(text, filename)

    assert.deepEqual(written?.settings, { workers: 2, log: { level: 'no' } })
    assert.equal(written.locateSetting(['log', 'level'])?.line, 2)
    assert.equal(parseSettings('{', filename), null)
  }
})
