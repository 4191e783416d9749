import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { catchesUpgrade } from '../../src/process/upgrade/ask-upgrade.ts'

test('a process that SIGUSR2 would end is not one to upgrade', async (t) => {
  const stranger = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] })
  t.after(() => stranger.kill())
  await once(stranger, 'spawn')
  const ignore = (): void => {}
  process.on('SIGUSR2', ignore)
  t.after(() => process.off('SIGUSR2', ignore))

  const [own, foreign, none] = [process.pid, stranger.pid ?? 0, 2 ** 30].map((pid) =>
    catchesUpgrade(pid),
  )

  assert.deepEqual([own, foreign, none], [true, false, true])
})
