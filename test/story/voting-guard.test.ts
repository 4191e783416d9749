/** What ends the voting app's demonstration when it is killed itself. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startGuard } from '../../demo/voting/guard-pipe.ts'

const IDLE = 'process.stdin.resume()'

test('when its pipe ends, the guard ends what was started and has not ended, and removes the folder', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-guard-'))
  writeFileSync(join(folder, 'sluice.log'), '')
  const guard = startGuard(folder)
  const [left, ended] = [1, 2].map(() => spawn(process.execPath, ['--eval', IDLE]))
  assert.ok(left?.pid && ended?.pid)
  t.after(() => ended.kill('SIGKILL'))
  guard.note(`+${left.pid}`)
  guard.note(`+${ended.pid}`)
  guard.note(`-${ended.pid}`)

  await Promise.all([once(left, 'exit'), guard.close()])

  assert.equal(left.signalCode, 'SIGINT')
  assert.equal(existsSync(folder), false)
  assert.equal(ended.exitCode ?? ended.signalCode, null)
})
