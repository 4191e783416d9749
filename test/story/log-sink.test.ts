import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import {
  closeSync,
  createReadStream,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createLog } from '../../src/observe/log.ts'
import { openSink } from '../../src/observe/sink.ts'

function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-sink-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

function noReport(message: string): void {
  assert.fail(message)
}

test('batches are appended in order, and all of them are written when the sink is closed', async (t) => {
  const path = join(makeFolder(t), 'access.log')
  const batches = Array.from({ length: 200 }, (_, i) => `${i} first\n${i} second\n`)
  const sink = openSink(path, { report: noReport })

  for (const batch of batches) sink.write(batch)
  await sink.close()
  sink.write('too late\n')
  sink.reopen()
  const next = openSink(path, { report: noReport })
  next.write('after\n')
  await next.close()

  assert.equal(readFileSync(path, 'utf8'), `${batches.join('')}after\n`)
  assert.equal(sink.dropped, 1)
})

test('a rotated file is left whole and a new one begins', async (t) => {
  const folder = makeFolder(t)
  const path = join(folder, 'access.log')
  const sink = openSink(path, { report: noReport })

  sink.write('before\n')
  renameSync(path, join(folder, 'access.log.1'))
  sink.reopen()
  sink.write('after\n')
  await sink.close()

  assert.equal(readFileSync(join(folder, 'access.log.1'), 'utf8'), 'before\n')
  assert.equal(readFileSync(path, 'utf8'), 'after\n')
})

test('a rotation that fails is reported, and the old file is kept', async (t) => {
  const folder = makeFolder(t)
  const inner = join(folder, 'inner')
  execFileSync('mkdir', [inner])
  const reports: string[] = []
  const sink = openSink(join(inner, 'access.log'), { report: (message) => reports.push(message) })

  renameSync(inner, join(folder, 'moved'))
  sink.reopen()
  sink.write('kept\n')
  await sink.close()

  assert.equal(readFileSync(join(folder, 'moved', 'access.log'), 'utf8'), 'kept\n')
  assert.equal(reports.length, 1)
  assert.match(reports[0] ?? '', /^cannot write the log to .*access\.log: .*ENOENT/)
})

test('a path that cannot be opened is said at once', (t) => {
  const path = join(makeFolder(t), 'missing', 'access.log')

  assert.throws(() => openSink(path), /^Error: cannot open the log .*missing.*ENOENT/)
})

test('a full disk is reported once, and every lost line is counted', async () => {
  const reports: string[] = []
  const sink = openSink('/dev/full', { report: (message) => reports.push(message) })

  sink.write('one\ntwo\n')
  await until(() => sink.dropped === 2)
  sink.write('three\n')
  await sink.close()

  assert.equal(sink.dropped, 3)
  assert.equal(reports.length, 1)
  assert.match(reports[0] ?? '', /ENOSPC/)
})

test('a file that works again takes the next line, on a line of its own', async (t) => {
  const path = join(makeFolder(t), 'access.log')
  symlinkSync('/dev/full', path)
  let now = 0
  let failed = false
  const sink = openSink(path, { report: () => (failed = true), now: () => now })
  sink.write('lost\n')
  await until(() => failed && sink.dropped === 1)
  unlinkSync(path)

  sink.write('too soon\n')
  now += 1000
  sink.write('written\n')
  await sink.close()

  assert.equal(readFileSync(path, 'utf8'), '\nwritten\n')
  assert.equal(sink.dropped, 2)
})

test('standard output takes lines, and its reader may leave', async () => {
  const module = JSON.stringify(new URL('../../src/observe/sink.ts', import.meta.url))
  const script = `
    const { openSink } = await import(${module})
    const sink = openSink(null)
    sink.write('one\\ntwo\\n')
    process.stdin.once('data', async () => {
      sink.write('nobody reads this\\n')
      while (sink.dropped === 0) await new Promise((resolve) => setImmediate(resolve))
      await sink.close()
      process.exit(7)
    })`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script])
  let errors = ''
  child.stderr.on('data', (chunk) => (errors += String(chunk)))

  const [first] = (await once(child.stdout, 'data')) as unknown[]
  child.stdout.destroy()
  await once(child.stdout, 'close')
  child.stdin.end('go\n')
  const [code] = (await once(child, 'close')) as unknown[]

  assert.equal(String(first), 'one\ntwo\n')
  assert.match(errors, /^cannot write the log to standard output: .*EPIPE.*\n$/)
  assert.equal(code, 7)
})

test('a reader that has stopped costs lines and no more than 8 MiB', async (t) => {
  const path = join(makeFolder(t), 'pipe')
  execFileSync('mkfifo', [path])
  const hold = openSync(path, 'r+')
  const reports: string[] = []
  const sink = openSink(path, { report: (message) => reports.push(message) })
  const batch = `${'x'.repeat(1024 * 1024 - 1)}\n`

  for (let i = 0; i < 20; i++) sink.write(batch)
  const { dropped } = sink
  const reader = createReadStream(path)
  await once(reader, 'open')
  closeSync(hold)
  let bytes = 0
  reader.on('data', (chunk) => (bytes += chunk.length))
  const ended = new Promise((resolve) => reader.once('close', resolve))
  // A reader on a busy machine may take longer than the two seconds that the end waits for it.
  await until(() => bytes >= 8 * batch.length)
  await sink.close()
  await ended

  assert.equal(dropped, 12)
  assert.equal(bytes, 8 * batch.length)
  assert.deepEqual(reports.length, 1)
  assert.match(reports[0] ?? '', /its reader is too slow/)
})

test('a named pipe without a reader does not block: lines wait for one', async (t) => {
  const path = join(makeFolder(t), 'pipe')
  execFileSync('mkfifo', [path])
  const sink = openSink(path, { report: noReport })

  sink.write('one\n')
  sink.reopen()
  sink.write('two\n')
  const reader = createReadStream(path)
  const [text] = (await once(reader, 'data')) as unknown[]
  const isWritten = await sink.close()
  reader.destroy()

  assert.match(String(text), /^one\n(?:two\n)?$/)
  assert.deepEqual([isWritten, sink.dropped], [true, 0])
})

test('a reader that stays away is waited for two seconds, and what is lost is said', async (t) => {
  const path = join(makeFolder(t), 'pipe')
  execFileSync('mkfifo', [path])
  const reports: string[] = []
  const sink = openSink(path, { report: (message) => reports.push(message) })

  sink.write(`${'x'.repeat(1024 * 1024)}\n`)
  const isWritten = await sink.close()

  assert.equal(isWritten, false)
  assert.deepEqual(reports, [
    `up to 1048577 bytes at the end of the log are lost: ${path} did not take them within 2 s`,
  ])
})

test('a log line is one line of JSON in ASCII, and says its level, time, fields and error', () => {
  const lines: string[] = []
  const log = createLog('info', { write: (line) => lines.push(String(line)) })

  log.debug({}, 'not shown')
  log.info({ frontend: 'vote\u009b\u2028\n' }, 'a change is in force')
  log.error({ err: new Error('broken', { cause: new Error('deep') }) }, 'caf\u00e9')

  assert.equal(lines.length, 2)
  for (const line of lines) assert.match(line, /^[\x20-\x7e]+\n$/)
  const [info, error] = lines.map((line): unknown => JSON.parse(line))
  assert.deepEqual(
    { ...(info ?? {}), time: 0 },
    { level: 'info', time: 0, frontend: 'vote\u009b\u2028\n', msg: 'a change is in force' },
  )
  assert.match(lines[0] ?? '', /"time":"\d{4}-\d\d-\d\dT[\d:.]+Z"/)
  assert.match(
    JSON.stringify(error),
    /"level":"error".*"message":"broken: deep".*"msg":"caf\u00e9"/,
  )
})
