/* oxlint-disable no-template-curly-in-string -- they are what is tested */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseDocument } from '../../src/document/document.ts'
import {
  resolveReferences,
  type ReferenceWorld,
  type Resolved,
} from '../../src/document/references.ts'

const files: Readonly<Record<string, string>> = {
  '/run/secrets/x': 's3cret\n',
  crlf: 'line\r\n',
  two: 'a\n\n',
  large: 'x'.repeat(65_537),
  block: 'y'.repeat(65_536),
}

const world: ReferenceWorld = {
  env: { NAME: 'vote', EMPTY: '', A_1: 'one', NESTED: '${NAME}' },
  readFile(path) {
    const text = files[path]
    if (text === undefined) throw new Error('there is no such file')
    return text
  },
}

function resolve(value: unknown): Resolved {
  return resolveReferences(value, world)
}

test('puts in variables, defaults and files, and collects what was put in', () => {
  const cases: readonly [string, string, readonly string[]][] = [
    ['Host("${NAME}.x")', 'Host("vote.x")', ['vote']],
    ['${NAME}${A_1}${NAME}', 'voteonevote', ['vote', 'one']],
    ['${NAME:-other}', 'vote', ['vote']],
    ['${NOT_SET:-a b:c}', 'a b:c', []],
    ['${NOT_SET:-}', '', []],
    ['${EMPTY:-normal}', 'normal', []],
    ['${file:/run/secrets/x}', 's3cret', ['s3cret']],
    ['${file:crlf}|${file:two}', 'line|a\n', ['line', 'a\n']],
    // What was put in is not looked through again.
    ['${NESTED}', '${NAME}', ['${NAME}']],
  ]
  for (const [text, expected, secrets] of cases) {
    const references = [{ path: [], whole: /^\$\{[^}]*\}$/.test(text) }]
    assert.deepEqual(resolve(text), { value: expected, secrets, references, faults: [] }, text)
  }
})

test('leaves everything else as it is, and takes $${ for a plain ${', () => {
  for (const text of [
    '$',
    '${',
    '${}',
    '${1}',
    '$1',
    '${name}',
    '${Name}',
    '^a${2,3}',
    '${NAME',
    '{NAME}',
  ]) {
    assert.equal(resolve(text).value, text)
  }
  assert.equal(resolve('$${NAME} ${NAME}').value, '${NAME} vote')
  assert.equal(resolve('$${1}').value, '${1}')
})

test('says where and why a reference cannot be resolved', () => {
  const { value, faults } = resolve({
    a: ['${NOT_SET}', 'fine'],
    b: { c: '${file:gone}', d: '${EMPTY}' },
    e: '${file:large}',
  })

  assert.deepEqual(value, {
    a: [undefined, 'fine'],
    b: { c: undefined, d: undefined },
    e: undefined,
  })
  assert.deepEqual(faults, [
    { path: ['a', 0], message: 'a.0: the variable NOT_SET is not set, or empty' },
    { path: ['b', 'c'], message: 'b.c: cannot read the file "gone": there is no such file' },
    { path: ['b', 'd'], message: 'b.d: the variable EMPTY is not set, or empty' },
    { path: ['e'], message: 'e: cannot read the file "large": it is larger than 64 KiB' },
  ])
})

test('bounds what references make of one object', () => {
  const { faults } = resolve(Array.from({ length: 17 }, () => '${file:block}'))

  assert.deepEqual(
    faults.map(({ message }) => message),
    ['16: its references make more than 1048576 characters of it'],
  )
})

test('never touches keys, and gives back what has no references as the same object', () => {
  const value = { '${NAME}': ['x', { y: 1 }], z: null }
  const hostile: unknown = JSON.parse('{"__proto__": "${NAME}"}')

  assert.equal(resolve(value).value, value)
  const resolved = resolve(hostile).value as object
  assert.deepEqual(Object.entries(resolved), [['__proto__', 'vote']])
  assert.equal(Object.getPrototypeOf(resolved), Object.prototype)
})

test('never throws, and changes nothing that has no dollar', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      if (JSON.stringify(value).includes('$')) return
      assert.equal(resolve(value).value, value)
    }),
  )
  fc.assert(
    fc.property(fc.array(fc.constantFrom('$', '{', '}', 'NAME', 'x', ':-', 'file:')), (parts) => {
      const { value, faults } = resolve(parts.join(''))
      assert.ok(typeof value === 'string' || faults.length > 0)
    }),
  )
})

test('sets one object of a document aside, with the place of its reference', () => {
  const text = `frontends:
  good: { route: 'Host("\${NAME}")' }
  plain: { route: 'x' }
  bad: { route: 'x',
    backend: '\${NOT_SET}' }
`
  const document = parseDocument(text, 'a.yaml', world)

  assert.ok(document.readable)
  const [good, plain, bad] = document.objects
  assert.deepEqual([good?.value, good?.secrets], [{ route: 'Host("vote")' }, ['vote']])
  assert.deepEqual(good?.references, [{ path: ['route'], whole: false }])
  assert.deepEqual(plain, {
    ...{ kind: 'frontend', id: 'plain', value: { route: 'x' } },
    ...{ key: 'a.yaml#/frontends/plain', line: 3, column: 3 },
  })
  assert.deepEqual(bad, {
    ...{ kind: 'frontend', id: 'bad', value: undefined },
    fault: 'backend: the variable NOT_SET is not set, or empty',
    ...{ key: 'a.yaml#/frontends/bad', line: 5, column: 5 },
  })
})
