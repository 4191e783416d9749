import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readToml } from '../../src/document/toml.ts'
import { Unreadable } from '../../src/document/tree.ts'

function errorOf(text: string): string {
  try {
    return `no error: ${JSON.stringify(readToml(text))}`
  } catch (error) {
    assert.ok(error instanceof Unreadable, String(error))
    const { position } = error
    return `${position?.line}:${position?.column} ${error.message}`
  }
}

test('reads a resource of confd', () => {
  const text = `# a comment
[template]
src = "nginx.conf.tmpl" # at the end
dest = '/etc/nginx/nginx.conf'
uid = 0
gid = 1_000
mode = "0644"
keys = [
  "/nginx", # one
  "/app",
]
check_cmd = "/usr/sbin/nginx -t -c {{.src}}"
`

  assert.deepEqual(readToml(text), {
    template: {
      src: 'nginx.conf.tmpl',
      dest: '/etc/nginx/nginx.conf',
      uid: 0,
      gid: 1000,
      mode: '0644',
      keys: ['/nginx', '/app'],
      check_cmd: '/usr/sbin/nginx -t -c {{.src}}',
    },
  })
})

test('reads all forms of values and keys', () => {
  for (const [text, value] of [
    ['a = 1\r\nb = -0x', null],
    ['a = 0x1F\nb = 0o17\nc = 0b11\nd = +7', { a: 31, b: 15, c: 3, d: 7 }],
    ['a = 1.5\nb = -2e3\nc = inf\nd = 1_0.0_1', { a: 1.5, b: -2000, c: Infinity, d: 10.01 }],
    ['a = true\nb = false', { a: true, b: false }],
    ['a = "\\t\\"\\\\\\u00e9\\U0001F600"', { a: '\t"\\é😀' }],
    ["a = 'C:\\x'", { a: 'C:\\x' }],
    ['a = """\nx\\\n   y"z"""', { a: 'xy"z' }],
    ['a = """x"""""', { a: 'x""' }],
    ["a = '''\nx\\n'y'''", { a: "x\\n'y" }],
    ['a.b."c d" = 1\na.e = 2', { a: { b: { 'c d': 1 }, e: 2 } }],
    ['a = { b = 1, c.d = [ {}, [1, 2,] ] }', { a: { b: 1, c: { d: [{}, [1, 2]] } } }],
    [
      '[a.b]\nx = 1\n[a]\ny = 2\n[[l]]\nz = 1\n[[l]]\nz = 2\n[l.m]\nw = 3',
      { a: { b: { x: 1 }, y: 2 }, l: [{ z: 1 }, { z: 2, m: { w: 3 } }] },
    ],
    ['\ufeff"" = 1', { '': 1 }],
  ] as const) {
    if (value === null) assert.match(errorOf(text), /^2:/)
    else assert.deepEqual(readToml(text), value, text)
  }
})

test('what is no TOML is an error with its place', () => {
  for (const [text, error] of [
    ['a = 1\nb = ', '2:5 is not valid TOML: "" is no value; text needs quotes'],
    ['a = nginx', '1:5 is not valid TOML: "nginx" is no value; text needs quotes'],
    ['a = "x', '1:7 is not valid TOML: a text does not end, or holds a control character'],
    ['a = 1 2', '1:7 is not valid TOML: "2" where the line should end'],
    ['a = 1\na = 2', '2:1 is not valid TOML: the key "a" is there twice'],
    ['[a]\n[a]', '2:1 is not valid TOML: [a] is there twice'],
    ['a = [1 2]', '1:8 is not valid TOML: a comma or ] is missing in an array'],
    ['a = {b = 1,}', '1:12 is not valid TOML: an inline table ends with a comma'],
    ['a = 2020-01-01', '1:5 is not valid TOML: dates are not read'],
    ['a = "\\x"', '1:6 is not valid TOML: \\x is no escape; a backslash is written \\\\'],
    ['a = 012', '1:5 is not valid TOML: "012" is no value; text needs quotes'],
    ['= 1', '1:1 is not valid TOML: "=" where a key should be'],
    ['a = 1\n[a.b]', '2:1 is not valid TOML: "a" is no table'],
    ['a = {}\na.b = 1', '2:1 is not valid TOML: "a.b" is in a table that is closed'],
    ['__proto__ = 1', '1:1 is not valid TOML: the key "__proto__" is reserved'],
    [`a = ${'['.repeat(100)}`, null],
    [`a = ${'{a='.repeat(100)}`, null],
  ] as const) {
    if (error === null) assert.match(errorOf(text), /deeper than 32/)
    else assert.equal(errorOf(text), error, text)
  }
})

test('any text is a map or an error', () => {
  const piece = fc.constantFrom(
    'a',
    ' = ',
    '"',
    "'",
    '[',
    ']',
    '{',
    '}',
    '\n',
    '#',
    '.',
    ',',
    '1',
    '\\',
    '"""',
    '\r\n',
    'é',
  )

  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      try {
        assert.equal(typeof readToml(pieces.join('')), 'object')
      } catch (error) {
        assert.ok(error instanceof Unreadable)
      }
    }),
    { numRuns: 2000 },
  )
})

test('what is written as TOML is read as it was', () => {
  const scalar = fc.oneof(fc.string(), fc.integer(), fc.boolean())
  const table = fc.dictionary(
    fc
      .stringMatching(/^[a-z][a-z_-]{0,8}$/)
      .filter((key) => key !== 'constructor' && key !== 'prototype'),
    fc.oneof(scalar, fc.array(scalar, { maxLength: 4 })),
    { maxKeys: 6, noNullPrototype: true },
  )

  fc.assert(
    fc.property(table, (values) => {
      const lines = Object.entries(values).map(([key, value]) => `${key} = ${written(value)}`)
      assert.deepEqual(readToml(lines.join('\n')), values)
    }),
    { numRuns: 500 },
  )
})

function written(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(written).join(', ')}]`
  if (typeof value !== 'string') return String(value)
  const escaped = value.replace(/["\\\x00-\x1f\x7f]/g, (one) => {
    return `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
  return `"${escaped}"`
}
