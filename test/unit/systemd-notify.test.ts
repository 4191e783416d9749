import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openServiceManager } from '../../src/process/systemd/notify.ts'
import { createFakeSystemd } from '../support/fake-systemd.ts'
import { makeFolder } from '../support/program.ts'
import { eventually } from '../support/until.ts'

function refuse(text: string): void {
  throw new Error(text)
}

test('messages reach systemd in their order', async (t) => {
  const systemd = createFakeSystemd(makeFolder(t))
  const manager = openServiceManager({ env: systemd.env, pid: 7, complain: refuse })

  void manager.notify('MAINPID=7', 'READY=1')
  void manager.notify('RELOADING=1')
  await manager.notify('STOPPING=1')
  await manager.notify()

  assert.deepEqual(systemd.messages(), [['MAINPID=7', 'READY=1'], ['RELOADING=1'], ['STOPPING=1']])
})

test('without NOTIFY_SOCKET no program is started', async () => {
  const manager = openServiceManager({ env: { PATH: '' }, pid: 7, complain: refuse })

  await manager.notify('READY=1')
})

test('the watchdog is fed while the program is alive', async (t) => {
  const systemd = createFakeSystemd(makeFolder(t), { WATCHDOG_USEC: '100000', WATCHDOG_PID: '7' })
  const manager = openServiceManager({ env: systemd.env, pid: 7, complain: refuse })
  let isAlive = false
  const asked: number[] = []

  manager.watch((withinMs) => {
    asked.push(withinMs)
    return isAlive
  })
  await eventually(() => asked.length > 1, 'it is asked twice')
  assert.deepEqual(systemd.messages(), [])
  isAlive = true
  await eventually(() => systemd.messages().length > 0, 'the watchdog is fed')
  manager.stop()
  await manager.notify()

  assert.deepEqual(systemd.messages()[0], ['WATCHDOG=1'])
  assert.deepEqual(new Set(asked), new Set([50]))
})

test('the watchdog of another process is not fed', async (t) => {
  const systemd = createFakeSystemd(makeFolder(t), { WATCHDOG_USEC: '20000', WATCHDOG_PID: '8' })
  const manager = openServiceManager({ env: systemd.env, pid: 7, complain: refuse })
  t.after(() => manager.stop())

  manager.watch(() => assert.fail('there is none to feed'))
  await manager.notify('READY=1')

  assert.deepEqual(systemd.messages(), [['READY=1']])
})

test('a program that is missing or fails is reported once', async (t) => {
  const folder = makeFolder(t)
  const complaints: string[] = []
  const complain = (text: string): void => void complaints.push(text)
  const missing = { NOTIFY_SOCKET: '@fake', PATH: folder }

  const first = openServiceManager({ env: missing, pid: 7, complain })
  await first.notify('READY=1')
  await first.notify('READY=1')
  const path = join(folder, 'systemd-notify')
  writeFileSync(path, '#!/bin/sh\necho "no socket" >&2\nexit 1\n', { mode: 0o755 })
  const second = openServiceManager({ env: missing, pid: 7, complain })
  await second.notify('READY=1')

  assert.equal(complaints.length, 2)
  assert.match(complaints[0] ?? '', /systemd-notify: there is no such program;/)
  assert.match(complaints[1] ?? '', /systemd-notify: no socket;/)
})
