/** What a program that was killed leaves beside a rendered file: staged files, and a reload that is due. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { test } from 'node:test'
import { processStart } from '../../src/model/process-start.ts'
import { applyText, type Applied, type ApplySettings } from '../../src/rendering/apply.ts'
import { clearReload, isReloadDue, noteReload } from '../../src/rendering/due-reload.ts'
import { keptPath, removeLeftovers, stagedPath } from '../../src/rendering/staged-name.ts'
import { makeFolder } from '../support/program.ts'

const HOUR_MS = 3_600_000
const PROCESS = /-\d+-\d+$/
const SPACE = /sluice-[0-9a-f]{8}/

/** As of another process. */
function stagedBy(path: string, pid: number, started: string): string {
  return stagedPath(path).replace(PROCESS, `-${pid}-${started}`)
}

function put(path: string, ageMs = 0): string {
  writeFileSync(path, 'x')
  const at = (Date.now() - ageMs) / 1000
  utimesSync(path, at, at)
  return basename(path)
}

async function endedPid(): Promise<number> {
  const child = spawn('true')
  await once(child, 'exit')
  return child.pid ?? 0
}

test('staged files of processes that have ended are removed, and no other file', async (t) => {
  const folder = makeFolder(t)
  const path = join(folder, 'a.conf')
  const ended = await endedPid()
  const started = processStart('self') ?? '0'
  const parent = processStart(process.ppid) ?? '0'
  const gone = [
    put(stagedBy(path, ended, '1')),
    // The id of this process belonged to another one before it.
    put(stagedBy(path, process.pid, String(Number(started) - 1))),
  ]
  const kept = [
    put(path),
    put(stagedPath(path)),
    put(stagedBy(path, process.ppid, parent)),
    put(keptPath(path), 99 * HOUR_MS),
    put(stagedBy(join(folder, 'b.conf'), ended, '1')),
    put(join(folder, '.a.conf.swp'), 99 * HOUR_MS),
    put(join(folder, '.a.conf.sluice-1-2-3'), 99 * HOUR_MS),
    put(`${stagedBy(path, ended, '1')}.bak`, 99 * HOUR_MS),
  ]
  mkdirSync(stagedBy(path, ended, '2'))
  symlinkSync('a.conf', stagedBy(path, ended, '3'))
  kept.push(basename(stagedBy(path, ended, '2')), basename(stagedBy(path, ended, '3')))

  const removed = await removeLeftovers(path, Date.now())

  assert.equal(removed, gone.length)
  assert.deepEqual(readdirSync(folder).sort(), kept.sort())
})

test('a staged file of another process space is removed only when it is old', async (t) => {
  const folder = makeFolder(t)
  const path = join(folder, 'a.conf')
  const other = stagedPath(path).replace(SPACE, 'sluice-00000000')
  const fresh = put(other, 24 * HOUR_MS)
  put(`${other}1`, 26 * HOUR_MS)

  const removed = await removeLeftovers(path, Date.now())

  assert.equal(removed, 1)
  assert.deepEqual(readdirSync(folder), [fresh])
  assert.equal(await removeLeftovers(join(folder, 'none', 'a.conf'), Date.now()), 0)
})

const SETTINGS: Omit<ApplySettings, 'dest'> = {
  ...{ mode: null, uid: null, gid: null, check: null, reload: null },
  ...{ timeoutMs: 30_000, keepStage: false, noop: false, syncOnly: false },
}

function apply(dest: string, text: string, settings: Partial<ApplySettings>): Promise<Applied> {
  const signal = new AbortController().signal
  return applyText({ ...SETTINGS, dest, ...settings }, text, { signal, isReloadOwed: false })
}

test('a reload is noted as due from before the new file is there until it succeeds', async (t) => {
  const folder = makeFolder(t)
  const dest = join(folder, 'a.conf')
  const reload = `ls -A ${folder} > ${folder}/seen`
  const due = async (): Promise<boolean> => isReloadDue(dest)

  await apply(dest, 'one', {
    check: `test ! -e ${dest} && ls -A ${folder} > ${folder}/checked`,
    reload,
  })
  const afterOne = await due()
  await apply(dest, 'two', { reload: 'false' })
  const afterTwo = await due()
  await apply(dest, 'three', { reload })

  assert.deepEqual([afterOne, afterTwo, await due()], [false, true, false])
  assert.deepEqual(readdirSync(folder).sort(), ['a.conf', 'checked', 'seen'])
})

test('a reload is not noted as due if the file is not replaced, or no reload is wanted', async (t) => {
  const folder = makeFolder(t)
  const dest = join(folder, 'a.conf')

  await assert.rejects(apply(dest, 'one', { check: 'false', reload: 'true' }))
  await apply(dest, 'one', { reload: 'true', syncOnly: true })
  await apply(dest, 'two', { reload: 'true', noop: true })
  const replaced = apply(dest, 'two', { check: `rm ${dest}; mkdir ${dest}`, reload: 'true' })

  await assert.rejects(replaced, /cannot replace .*a\.conf/)
  assert.deepEqual(readdirSync(folder), ['a.conf'])
})

test('a reload that is due stays so without its commands, and once it was noted', async (t) => {
  const dest = join(makeFolder(t), 'a.conf')
  await noteReload(dest)
  await noteReload(dest)

  await apply(dest, 'one', { reload: 'true', syncOnly: true })
  const withoutCommands = await isReloadDue(dest)
  await clearReload(dest)
  await clearReload(dest)

  assert.equal(withoutCommands, true)
  assert.equal(await isReloadDue(dest), false)
})

test('a file stays as it was if nothing can note that its reload is due', async (t) => {
  const dest = join(makeFolder(t), 'a.conf')
  await apply(dest, 'one', {})
  mkdirSync(join(dirname(dest), '.a.conf.sluice-reload'))

  const changed = apply(dest, 'two', { reload: 'true' })

  await assert.rejects(
    changed,
    /^Error: cannot note in the folder of .*a\.conf that its reload is due: /,
  )
  assert.equal(existsSync(stagedPath(dest)), false)
})
