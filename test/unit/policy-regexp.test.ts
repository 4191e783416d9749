import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileRegexp } from '../../src/policy/regexp.ts'

function compile(text: string, caseInsensitive = false): { test: (text: string) => boolean } {
  return compileRegexp(text, caseInsensitive, (message) => {
    throw new Error(message)
  })
}

test('a regular expression is found anywhere unless it is anchored', () => {
  assert.ok(compile('/r1').test('/xx/r1yy'))
  assert.ok(!compile('^/r1$').test('/xx/r1yy'))
})

test('equal texts share a program, with and without case each', () => {
  assert.equal(compile('^shared'), compile('^shared'))
  assert.notEqual(compile('^shared'), compile('^shared', true))
})

test('programs stay right when more are compiled than are remembered', () => {
  const first = compile('^n0$')
  for (let index = 0; index < 1100; index += 1) compile(`^n${index}$`)

  assert.notEqual(compile('^n0$'), first)
  assert.ok(compile('^n0$').test('n0') && first.test('n0'))
})

test('what only a backtracking engine could match is refused', () => {
  for (const text of ['(a)\\1', '(?=a)', '(?!a)', '(?<=a)b', '(?<!a)b', '(?>a)', 'a*+']) {
    assert.throws(() => compile(text), /not a regular expression of RE2/, text)
  }
})

test('the syntax is that of Go', () => {
  assert.ok(compile('(?P<year>[0-9]{4})').test('in 2026'))
  assert.ok(compile('(?i)ABC\\z').test('xabc'))
  assert.ok(compile('^\\pL+$').test('\u00e9t\u00e9'))
})

test('a program that is too large is refused before it serves', () => {
  assert.throws(() => compile('(a{50}b{50}){20}c{1000}d{1000}e{1000}'), /compiles to \d+ steps/)
  assert.throws(() => compile('a'.repeat(1025)), /1025 characters, at most 1024/)
})
