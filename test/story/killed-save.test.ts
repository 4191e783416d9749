/** A program that is killed while it saves its last good snapshot. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openLastGoodFile } from '../../src/control/sources/last-good.ts'
import { makeFolder } from '../support/program.ts'

test('a save that is killed leaves the old or the new file', (t) => {
  const folder = makeFolder(t)
  const lastGood = openLastGoodFile({ folder, source: 'etcd' })
  const script = fileURLToPath(new URL('../support/save-and-die.ts', import.meta.url))
  const turns = [Infinity, 0, 1, 2, 3, 5, 8, 20, 60, 200, 500, 1000, 2000, 3000, 4000, Infinity]
  let last = ''

  for (const [revision, limit] of turns.entries()) {
    const { signal } = spawnSync(process.execPath, [script, folder, `${revision}`, `${limit}`])
    const loaded = lastGood.load()

    assert.equal(signal, 'SIGKILL')
    assert.ok(loaded.state === 'good', `after ${limit} turns: ${JSON.stringify(loaded)}`)
    if (limit === 0) assert.equal(loaded.revision, last, 'nothing is there yet')
    if (limit === Infinity)
      assert.equal(loaded.revision, `${revision}`, 'a save that was acknowledged is there')
    assert.ok([last, `${revision}`].includes(loaded.revision), `after ${limit} turns`)
    assert.equal(loaded.objects.length, 3000)
    for (const { value } of loaded.objects) {
      assert.equal((value as { revision: string }).revision, loaded.revision)
    }
    last = loaded.revision
  }
})
