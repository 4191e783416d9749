import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { commandOf } from '../../src/process/upgrade/program.ts'
import { takeRequest, writeRequest } from '../../src/process/upgrade/request.ts'
import { makeFolder } from '../support/program.ts'

const PROGRAM = {
  pid: 7,
  execPath: '/usr/bin/node',
  execArgv: ['--max-old-space-size=100'],
  argv: ['/usr/bin/node', '/opt/sluice/dist/main.js', 'serve', '--config', 'a.yaml'],
  env: {},
}
const UID = process.getuid?.() ?? 0

test('the program itself is started by its launcher, else by its Node, with the same words', () => {
  const words = ['serve', '--config', 'a.yaml']

  assert.deepEqual(commandOf(PROGRAM, null), [
    ...['/usr/bin/node', '--max-old-space-size=100', '/opt/sluice/dist/main.js'],
    ...words,
  ])
  const launched = { ...PROGRAM, env: { SLUICE_LAUNCHER: '7:/opt/current/sluice' } }
  assert.deepEqual(commandOf(launched, null), ['/opt/current/sluice', ...words])
  const inherited = { ...PROGRAM, env: { SLUICE_LAUNCHER: '6:/opt/current/sluice' } }
  assert.equal(commandOf(inherited, null)[0], '/usr/bin/node')
})

test('another program must be there and be a program', (t) => {
  const folder = makeFolder(t)
  const binary = join(folder, 'sluice')
  const script = join(folder, 'main.js')
  const plain = join(folder, 'plain')
  for (const path of [binary, script, plain]) writeFileSync(path, '')
  chmodSync(binary, 0o755)

  assert.deepEqual(commandOf(PROGRAM, binary).slice(0, 2), [binary, 'serve'])
  assert.deepEqual(commandOf(PROGRAM, script).slice(2, 4), [script, 'serve'])
  assert.throws(() => commandOf(PROGRAM, plain), /may not be executed/)
  assert.throws(() => commandOf(PROGRAM, join(folder, 'none')), /there is no program/)
  assert.throws(() => commandOf(PROGRAM, 'sluice'), /no absolute path/)
})

test('a request is taken once', (t) => {
  const folder = makeFolder(t)
  const request = { to: '/opt/new/sluice', withinMs: 5_000 }

  writeRequest(folder, { to: null, withinMs: 1 })
  writeRequest(folder, request)

  assert.deepEqual(takeRequest(folder, UID), request)
  assert.equal(takeRequest(folder, UID), null)
})

test('a request of another user, of several users, of another form or of yesterday is not used', (t) => {
  const folder = makeFolder(t)
  const path = join(folder, 'upgrade-to.json')
  const write = (text = '{"to":"/bin/true","withinMs":1}'): void => {
    writeRequest(folder, { to: null, withinMs: 1 })
    writeFileSync(path, text)
  }

  write()
  if (UID === 0) assert.notEqual(takeRequest(folder, 1), null)
  else assert.throws(() => takeRequest(folder, UID + 1), /of this user or of root/)
  write()
  chmodSync(path, 0o666)
  assert.throws(() => takeRequest(folder, UID), /of this user or of root/)
  for (const text of ['', '{}', '{"to":1,"withinMs":1}', 'null']) {
    write(text)
    assert.throws(() => takeRequest(folder, UID), /no request of "sluice upgrade"/)
  }
  write()
  utimesSync(path, 0, 0)
  assert.equal(takeRequest(folder, UID), null)
  mkdirSync(path)
  assert.throws(() => takeRequest(folder, UID))
})

test('a request is not read through a link', (t) => {
  const folder = makeFolder(t)
  const other = join(folder, 'other')
  writeFileSync(other, '{"to":"/bin/true","withinMs":1}')
  symlinkSync(other, join(folder, 'upgrade-to.json'))

  assert.throws(() => takeRequest(folder, UID))
})
