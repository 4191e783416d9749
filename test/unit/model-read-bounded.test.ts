/** Files of any size and kind are read within a limit. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { readFileText } from '../../src/cli/read-file.ts'
import { readBounded, readBoundedText } from '../../src/model/read-bounded.ts'
import { makeFolder } from '../support/program.ts'

test('a file is read whole up to the limit, and refused beyond it', (t) => {
  const path = join(makeFolder(t), 'a')
  writeFileSync(path, 'x'.repeat(100_000))

  assert.equal(readBounded(path, { maxBytes: 100_000 }).length, 100_000)
  assert.throws(() => readBounded(path, { maxBytes: 99_999 }), {
    message: 'it is larger than 99999 bytes',
  })
  assert.throws(() => readBounded(path, { maxBytes: 64 << 10 }), {
    message: 'it is larger than 64 KiB',
  })
})

test('a file without a size is read to its end', () => {
  assert.match(readBoundedText('/proc/self/status', { maxBytes: 64 << 10 }), /^Name:/)
})

test('a file that does not end is read to the limit only', () => {
  const limits = { maxBytes: 1 << 20, isAnyKind: true }

  assert.throws(() => readBounded('/dev/zero', limits), { message: 'it is larger than 1 MiB' })
  assert.throws(() => readFileText('/dev/zero', 1000), { message: 'it is larger than 1000 bytes' })
})

test('a pipe is read to its end where it is expected, and refused elsewhere', (t) => {
  const path = join(makeFolder(t), 'pipe')
  execFileSync('mkfifo', [path])
  assert.throws(() => readBounded(path, { maxBytes: 10 }), {
    message: 'it is not a regular file',
  })
  const writer = spawn('sh', ['-c', `printf one > ${path}`])
  t.after(() => writer.kill('SIGKILL'))

  assert.equal(readFileText(path, 3), 'one')
})

test('what is no text or no file is said', (t) => {
  const folder = makeFolder(t)
  const path = join(folder, 'a')
  writeFileSync(path, Buffer.of(0x61, 0xff))
  mkdirSync(join(folder, 'dir'))

  assert.throws(() => readBoundedText(path, { maxBytes: 10 }), { message: 'it is not UTF-8 text' })
  assert.throws(() => readBounded(join(folder, 'dir'), { maxBytes: 10 }), {
    message: 'it is a directory',
  })
  assert.throws(() => readFileText(join(folder, 'none'), 10), {
    message: 'there is no such file',
  })
})
