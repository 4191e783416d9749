import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { lockData, ownData } from '../../src/process/data-lock.ts'

test('a data folder is released to the next program, and again when the program ends', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-lock-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const complaints: string[] = []
  const complain = (line: string): void => void complaints.push(line)
  const data = ownData(await lockData(folder, complain))
  await assert.rejects(lockData(folder, complain), /is in use by another sluice/)

  data.release()
  const next = await lockData(folder, complain)
  data.release()

  await assert.rejects(lockData(folder, complain), /is in use by another sluice/)
  next?.release()
  assert.deepEqual(complaints, [])
})
