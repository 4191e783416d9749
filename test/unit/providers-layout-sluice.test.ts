import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLayout } from '../support/layouts.ts'
import type { DeclaredObject } from '../../src/providers/provider.ts'

const layout = createLayout('sluice', { sealKey: null })

const KEYS = [
  ['listeners/web', 'listener', 'web'],
  ['hosts/vote.example/host', 'host', 'vote.example'],
  ['backends/vote/backend', 'backend', 'vote'],
  ['backends/vote/servers/vote-1', 'server', 'vote/vote-1'],
  ['frontends/vote/frontend', 'frontend', 'vote'],
  ['frontends/vote/middlewares/m1', 'middleware', 'vote/m1'],
] as const

for (const [path, kind, id] of KEYS) {
  test(`${path} is the ${kind} ${id}, and is written there`, () => {
    assert.deepEqual(read(path, '{"a":1}'), { kind, id, value: { a: 1 }, key: `/sluice/${path}` })
    assert.equal(layout.pathOf(kind, id), path)
  })
}

test('keys of other shapes are none of ours', () => {
  const others = [
    ...['', 'frontends', 'frontends/f', 'backends/b', 'hosts/h', 'listeners', 'listeners/'],
    ...['listeners/l/x', 'frontends//frontend', 'frontends/f/backend', 'backends/b/servers'],
    ...['backends/b/servers/', 'backends/b/servers/s/x', 'frontends/f/servers/s', 'x/frontends/f'],
    ...['/frontends/f/frontend', 'Frontends/f/frontend', 'hosts/h/host/x', 'toString/a/b'],
  ]

  assert.deepEqual(
    others.map(layout.groupOf),
    others.map(() => null),
  )
})

test('a server may be its url alone', () => {
  assert.equal(read('backends/b/servers/s', '"http://10.0.0.1:80"')?.value, 'http://10.0.0.1:80')
  assert.equal(read('backends/b/servers/s', '"unix:/run/a.sock"')?.value, 'unix:/run/a.sock')
})

const FAULTS: readonly (readonly [path: string, text: string, fault: string | RegExp])[] = [
  ['backends/b/backend', 'null', 'must be a map, not nothing'],
  ['backends/b/backend', '[]', 'must be a map, not a list'],
  ['backends/b/backend', '7', 'must be a map, not 7'],
  ['frontends/f/frontend', '"text"', 'must be a map, not "text"'],
  ['backends/b/servers/s', 'null', 'must be a url or a map, not nothing'],
  ['backends/b/servers/s', '[]', 'must be a url or a map, not a list'],
  ['backends/b/backend', ' ', 'is empty; it must be JSON'],
  [
    'backends/b/backend',
    '{\n  "a": 1,\n  b\n}',
    'cannot be read as JSON: expected a key in double quotes, found "b" (line 3, column 3)',
  ],
  [
    'backends/b/backend',
    '{} {}',
    'cannot be read as JSON: there is text after the end (line 1, column 4)',
  ],
  [
    'backends/b/backend',
    '{"a":1,"a":2}',
    'cannot be read as JSON: the key "a" occurs twice in one map (line 1, column 8)',
  ],
  [
    'backends/b/backend',
    '{"tls":{"a":{"__proto__":{}}}}',
    'cannot be read as JSON: the key "__proto__" is reserved (line 1, column 14)',
  ],
  [
    'backends/b/backend',
    '['.repeat(33) + ']'.repeat(33),
    'cannot be read as JSON: is nested deeper than 32 (line 1, column 33)',
  ],
  ['backends/b/backend', '['.repeat(1_000_000), /nested deeper than 32/],
  [
    'backends/b/backend',
    `{"${'\u0085'.repeat(999)}":1,"${'\u0085'.repeat(999)}":2}`,
    /^cannot be read as JSON: the key "(?:\\u0085){100,160}\.\.\. \(line 1, column 1006\)$/,
  ],
  [
    'backends/b/backend',
    `"${'x'.repeat(1024 ** 2)}"`,
    'has 1048578 characters, at most 1048576 are taken',
  ],
  [
    'backends/b\u001b[2J/backend',
    '{}',
    'the id must be 1 to 128 letters, digits or any of . _ - @ :, not "b\\u001b[2J"',
  ],
  ['backends/__proto__/backend', '{}', 'the id "__proto__" is reserved'],
  [
    'backends/b/servers/a b',
    '{}',
    'the id must be 1 to 128 letters, digits or any of . _ - @ :, not "a b"',
  ],
]

for (const [path, text, fault] of FAULTS) {
  test(`${JSON.stringify(path)} with ${JSON.stringify(text.slice(0, 40))} is set aside with the reason`, () => {
    const object = read(path, text)

    assert.equal(object?.value, undefined)
    if (typeof fault === 'string') assert.equal(object?.fault, fault)
    else assert.match(object?.fault ?? '', fault)
  })
}

test('a text that the registry could not give keeps its reason and its revision', () => {
  const [object] = layout.read(
    [{ path: 'listeners/l', key: '/l', text: null, fault: 'is not UTF-8', revision: '9' }],
    () => [],
  )

  assert.equal(object?.fault, 'is not UTF-8')
  assert.equal(object.revision, '9')
})

test('what could not be a name has no key', () => {
  assert.equal(layout.pathOf('backend', 'a/b'), null)
  assert.equal(layout.pathOf('server', 'a'), null)
  assert.equal(layout.pathOf('server', 'a/b/c'), null)
  assert.equal(layout.pathOf('middleware', '/m'), null)
  assert.equal(layout.pathOf('frontend', '..\u0000'), null)
  assert.equal(layout.pathOf('listener', ''), null)
})

function read(path: string, text: string): DeclaredObject | undefined {
  assert.notEqual(layout.groupOf(path), null)
  return layout.read([{ path, key: `/sluice/${path}`, text }], () => [])[0]
}
