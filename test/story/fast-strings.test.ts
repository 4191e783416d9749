import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'

const SERVING = new URL('../../src/process/serving-thread.ts', import.meta.url).href

test('a module whose class extends String makes its prototype slow without the guard', () => {
  assert.equal(stringsAreFastAfter(['ioredis']), false)
})

test('a serving thread keeps String.prototype fast', () => {
  assert.equal(stringsAreFastAfter([SERVING]), true)
})

test('String.prototype stays fast when such a module is loaded later', () => {
  assert.equal(stringsAreFastAfter([SERVING, 'ioredis']), true)
})

test('String.prototype is made fast again when such a module was loaded before', () => {
  assert.equal(stringsAreFastAfter(['ioredis', SERVING]), true)
})

/** V8's own answer, in a process that loads these modules in this order. */
function stringsAreFastAfter(modules: readonly string[]): boolean {
  const imports = modules.map((name) => `await import(${JSON.stringify(name)})`)
  const answer = 'process.stdout.write(String(%HasFastProperties(String.prototype)))'
  const flags = ['--allow-natives-syntax', '--input-type=module']
  const out = execFileSync(process.execPath, [...flags, '-e', [...imports, answer].join('\n')], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  })
  assert.match(out, /^(true|false)$/)
  return out === 'true'
}
