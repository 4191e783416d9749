import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readEnvironment } from '../../src/providers/keys/environment.ts'
import { isBelowAny, isWithin, joinKey, rootsOf } from '../../src/providers/keys/key-paths.ts'
import { withoutPrefix } from '../../src/rendering/key-stores.ts'

test('paths are joined and cleaned as confd does it, with the root as nothing', () => {
  for (const [parts, path] of [
    [['', '/nginx'], '/nginx'],
    [['/production', 'nginx/'], '/production/nginx'],
    [['production/', '/'], '/production'],
    [['/', '/'], ''],
    [['', '/a//b/../c/./'], '/a/c'],
  ] as const) {
    assert.equal(joinKey(...parts), path, parts.join(' '))
  }
  assert.equal(withoutPrefix('/production/nginx', '/production'), '/nginx')
  assert.equal(withoutPrefix('/production', '/production'), '/')
  assert.equal(withoutPrefix('/other', '/production'), '/other')
})

test('what is read is below few paths, none of them within another', () => {
  assert.deepEqual(rootsOf(['/a/b', '/a', '/a-b', '/a', '/c/d']), ['/a', '/a-b', '/c/d'])
  assert.deepEqual(rootsOf(['/a', '', '/b']), [''])
  assert.deepEqual(rootsOf([]), [])
  const many = Array.from({ length: 40 }, (_, at) => `/app/service-${at}/port`)
  assert.deepEqual(rootsOf(many), ['/app'])
  assert.deepEqual(rootsOf([...many, '/other']), [''])
  assert.equal(rootsOf(many.slice(0, 16)).length, 16)
})

test('a key is below a path by whole segments', () => {
  assert.deepEqual(
    [isWithin('/a/b', '/a'), isWithin('/a', '/a'), isWithin('/ab', '/a'), isWithin('/x', '')],
    [true, true, false, true],
  )
  const roots = new Set(['/a/b', '/c'])
  assert.deepEqual(
    ['/a/b', '/a/b/c', '/a/bc', '/a', '/c/d', '/x'].map((key) => isBelowAny(key, roots)),
    [true, true, false, false, true, false],
  )
  assert.equal(isBelowAny('/x', new Set([''])), true)
})

test('ten thousand keys are sorted out in no time', () => {
  const keys = Array.from({ length: 10_000 }, (_, at) => `/app/${at % 100}/service-${at}`)
  const began = performance.now()

  assert.deepEqual(rootsOf(keys), ['/app'])

  assert.ok(performance.now() - began < 2000)
})

test('a variable is a key by its underscores', () => {
  const env = { MY_APP_PORT: '80', MY_APPLE: 'x', OTHER: 'y', EMPTY: undefined, _: 'z' }

  assert.deepEqual([...readEnvironment(env, '/my/app')], [['/my/app/port', { text: '80' }]])
  assert.equal(readEnvironment(env, '').size, 4)
})
