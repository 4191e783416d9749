/** From a text to the file in its place: what is written, what stays, and what commands may do. */
import assert from 'node:assert/strict'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { applyText, type Applied, type ApplySettings } from '../../src/rendering/apply.ts'
import { runCommand } from '../../src/rendering/run-command.ts'
import { stagedPath } from '../../src/rendering/staged-name.ts'
import { discard, replace, stage } from '../../src/rendering/target-file.ts'
import { isRunning } from '../support/processes.ts'
import { makeFolder } from '../support/program.ts'
import { eventually } from '../support/until.ts'

const SETTINGS: Omit<ApplySettings, 'dest'> = {
  ...{ mode: null, uid: null, gid: null, check: null, reload: null },
  ...{ timeoutMs: 30_000, keepStage: false, noop: false, syncOnly: false },
}
const NEVER = new AbortController().signal

function apply(
  dest: string,
  text: string,
  settings: Partial<ApplySettings> = {},
  isReloadOwed = false,
): Promise<Applied> {
  return applyText({ ...SETTINGS, dest, ...settings }, text, { signal: NEVER, isReloadOwed })
}

async function failureOf(promise: Promise<unknown>): Promise<string> {
  try {
    return `no failure: ${JSON.stringify(await promise)}`
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

test('writes a new file with its mode, and nothing if all is the same', async (t) => {
  const folder = makeFolder(t)
  const dest = join(folder, 'a.conf')

  const first = await apply(dest, 'one\n', { mode: 0o640 })
  const before = statSync(dest)
  const second = await apply(dest, 'one\n', { mode: 0o640 })
  const after = statSync(dest)

  assert.deepEqual(first, { kind: 'changed', what: ['it does not exist'], staged: null })
  assert.deepEqual(second, { kind: 'same' })
  assert.equal(readFileSync(dest, 'utf8'), 'one\n')
  assert.equal(before.mode & 0o7777, 0o640)
  assert.deepEqual([after.ino, after.mtimeMs], [before.ino, before.mtimeMs])
  assert.deepEqual(readdirSync(folder), ['a.conf'])
})

test('a file keeps its mode unless another one is wanted; a new one has 0644 under any umask', async (t) => {
  const dest = join(makeFolder(t), 'a.conf')
  const umask = process.umask(0o077)
  t.after(() => process.umask(umask))

  await apply(dest, 'one')
  const fresh = statSync(dest).mode & 0o7777
  chmodSync(dest, 0o600)
  await apply(dest, 'two')
  const kept = statSync(dest).mode & 0o7777
  const changed = await apply(dest, 'two', { mode: 0o444 })

  assert.equal(fresh, 0o644)
  assert.equal(kept, 0o600)
  assert.deepEqual(changed, { kind: 'changed', what: ['mode 0600 instead of 0444'], staged: null })
})

test('a new version has another inode, so that no reader sees a part of it', async (t) => {
  const dest = join(makeFolder(t), 'a.conf')
  await apply(dest, 'one')
  const { ino } = statSync(dest)

  await apply(dest, 'two')

  assert.notEqual(statSync(dest).ino, ino)
})

test('the check gets the staged file, and one that fails keeps the old', async (t) => {
  const folder = makeFolder(t)
  const dest = join(folder, 'a.conf')
  await apply(dest, 'good')
  const { ino } = statSync(dest)

  const check = `grep -q good {{.src}} || { echo bad: $(cat {{.src}}) >&2; exit 3; }`
  const failure = await failureOf(apply(dest, 'evil', { check }))
  const good = await apply(dest, 'good 2', { check })

  assert.equal(failure, 'check exited with 3: bad: evil; a.conf stays as it was')
  assert.equal(good.kind, 'changed')
  assert.equal(readFileSync(dest, 'utf8'), 'good 2')
  assert.notEqual(statSync(dest).ino, ino)
  assert.deepEqual(readdirSync(folder), ['a.conf'])
})

test('the reload runs after a change only, and again after it failed', async (t) => {
  const folder = makeFolder(t)
  const dest = join(folder, 'a.conf')
  const reload = `cat ${dest} >> ${folder}/reloads`
  const reloads = (): string => readFileSync(join(folder, 'reloads'), 'utf8')

  await apply(dest, 'one ', { reload })
  await apply(dest, 'one ', { reload })
  const failed = await apply(dest, 'two ', { reload: 'echo no >&2; false' })
  const again = await apply(dest, 'two ', { reload: 'false' }, true)
  const done = await apply(dest, 'two ', { reload }, true)

  assert.deepEqual(failed, {
    kind: 'not-reloaded',
    reason: 'reload exited with 1: no',
    isChanged: true,
  })
  assert.deepEqual(again, {
    kind: 'not-reloaded',
    reason: 'reload exited with 1',
    isChanged: false,
  })
  assert.deepEqual(done, { kind: 'same' })
  assert.equal(reloads(), 'one two ')
})

test('what is not to be run or written is not', async (t) => {
  const folder = makeFolder(t)
  const dest = join(folder, 'a.conf')
  const trap = { check: `touch ${folder}/ran`, reload: `touch ${folder}/ran` }

  const noop = await apply(dest, 'one', { ...trap, noop: true })
  const isThere = existsSync(dest)
  const synced = await apply(dest, 'one', { ...trap, syncOnly: true })
  const kept = await apply(dest, 'two', { keepStage: true })

  assert.deepEqual(noop, { kind: 'differs', what: ['it does not exist'], staged: null })
  assert.equal(isThere, false)
  assert.equal(synced.kind, 'changed')
  assert.equal(existsSync(join(folder, 'ran')), false)
  assert.ok(kept.kind === 'changed' && kept.staged !== null)
  assert.equal(readFileSync(kept.staged, 'utf8'), 'two')
  assert.equal(readFileSync(dest, 'utf8'), 'two')
})

test('a target that cannot be written is said, and left as it is', async (t) => {
  const folder = makeFolder(t)
  const dest = join(folder, 'a.conf')
  mkdirSync(dest)

  assert.equal(await failureOf(apply(dest, 'x')), `cannot write ${dest}: it is a directory`)
  assert.equal(
    await failureOf(apply(join(folder, 'none', 'a.conf'), 'x')),
    `cannot write ${folder}/none/a.conf: there is no folder ${folder}/none; make it first`,
  )
  assert.equal(
    await failureOf(apply(join(folder, 'b.conf'), 'x', { check: '{{.nosuch' })),
    'line 1: unclosed action',
  )
  assert.deepEqual(readdirSync(folder), ['a.conf'])
})

test('the owner is set where this user may set it, and is an error elsewhere', async (t) => {
  const folder = makeFolder(t)
  const dest = join(folder, 'a.conf')
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0]

  const own = await apply(dest, 'x', { uid, gid })
  const given = await failureOf(apply(dest, 'x', { uid: 12_345, gid: 12_345 }))

  assert.equal(own.kind, 'changed')
  const { uid: owner, gid: group } = statSync(dest)
  if (uid === 0) {
    assert.match(given, /"changed".*uid 0 instead of 12345/)
    assert.deepEqual([owner, group], [12_345, 12_345])
  } else {
    assert.match(given, /cannot make 12345:12345 the owner of .*only root may give files away/)
    assert.deepEqual([owner, group], [uid, gid])
  }
  assert.deepEqual(readdirSync(folder), ['a.conf'])
})

test('a symbolic link is replaced by a file, and what it leads to stays', async (t) => {
  const folder = makeFolder(t)
  const [dest, other] = [join(folder, 'link.conf'), join(folder, 'other')]
  writeFileSync(other, 'same')
  symlinkSync(other, dest)

  const applied = await apply(dest, 'same')

  assert.deepEqual(applied, { kind: 'changed', what: ['it is a symbolic link'], staged: null })
  assert.ok(lstatSync(dest).isFile())
  assert.equal(readFileSync(other, 'utf8'), 'same')
})

test('a target that is mounted by itself is written in place', async (t) => {
  const folder = makeFolder(t)
  const path = join(folder, 'a.conf')
  writeFileSync(path, 'a longer text than the next one')
  const { ino } = statSync(path)
  const form = { path, mode: 0o640, uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 }
  const content = Buffer.from('next')
  const staged = stagedPath(path)
  await stage(form, 0o640, content, staged)
  const busy = (): Promise<void> => {
    return Promise.reject(Object.assign(new Error('busy'), { code: 'EBUSY' }))
  }

  const how = await replace(form, 0o640, staged, content, busy)
  await discard(staged)

  assert.equal(how, 'written')
  assert.equal(readFileSync(path, 'utf8'), 'next')
  assert.deepEqual([statSync(path).ino, statSync(path).mode & 0o777], [ino, 0o640])
  assert.deepEqual(readdirSync(folder), ['a.conf'])
})

test('a command that hangs is ended with all that it has started', async (t) => {
  const folder = makeFolder(t)
  const began = performance.now()

  const failure = await failureOf(
    runCommand(`(echo $$ > ${folder}/pid; exec sleep 600) & sleep 600`, {
      timeoutMs: 200,
      signal: NEVER,
    }),
  )

  assert.equal(failure, 'did not end within 0.2 s')
  assert.ok(performance.now() - began < 10_000)
  const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'))
  await eventually(() => !isRunning(pid), 'the command ends')
})

test('a command that leaves a server running has ended', async (t) => {
  const folder = makeFolder(t)

  await runCommand(`sleep 600 & echo $! > ${folder}/pid`, { timeoutMs: 20_000, signal: NEVER })

  const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'))
  assert.ok(isRunning(pid))
  process.kill(pid, 'SIGKILL')
})

test('a command is ended with the program', async () => {
  const ending = new AbortController()
  const failure = failureOf(runCommand('sleep 600', { timeoutMs: 60_000, signal: ending.signal }))

  ending.abort()

  assert.equal(
    await failure,
    'was ended, because the program ends or the settings of templates have changed',
  )
  assert.match(
    await failureOf(runCommand('true', { timeoutMs: 1000, signal: ending.signal })),
    /was not run: the program ends/,
  )
})

test('what a failing command prints is shown in one line, without controls', async () => {
  const command = `printf 'a\\n\\n\\033[31mred\\nlast\\n'; yes | head -c 100000 >&2; echo end >&2; exit 1`

  const failure = await failureOf(runCommand(command, { timeoutMs: 20_000, signal: NEVER }))

  assert.ok(failure.startsWith('exited with 1: '), failure)
  assert.ok(!failure.includes('\n') && !failure.includes('\u001b') && failure.length < 400, failure)
})

test('of the files that are staged and kept only the last one stays', async (t) => {
  const folder = makeFolder(t)
  const dest = join(folder, 'a.conf')

  await apply(dest, 'one', { keepStage: true, noop: true })
  await apply(dest, 'one', { keepStage: true, noop: true })
  await failureOf(apply(dest, 'two', { keepStage: true, check: 'false' }))
  const last = await apply(dest, 'three', { keepStage: true })

  assert.ok(last.kind === 'changed' && last.staged !== null)
  const names = readdirSync(folder).map((name) => join(folder, name))
  assert.deepEqual(names.sort(), [last.staged, dest].sort())
  assert.equal(readFileSync(last.staged, 'utf8'), 'three')
})

test('a check that shows the path of the file fails for the same reason each time', async (t) => {
  const dest = join(makeFolder(t), 'a.conf')

  const first = await failureOf(apply(dest, 'one', { check: 'echo {{.src}}; false' }))
  const second = await failureOf(apply(dest, 'one', { check: 'echo {{.src}}; false' }))

  assert.match(first, /^check exited with 1: .*a\.conf/)
  assert.equal(second, first)
})

test('a reload that runs when the program ends may end by itself, and a check may not', async (t) => {
  const folder = makeFolder(t)
  const dest = join(folder, 'a.conf')
  const ending = new AbortController()
  const reload = `touch ${folder}/began; until [ -e ${folder}/go ]; do :; done; touch ${folder}/ended`

  const applied = applyText({ ...SETTINGS, dest, reload }, 'one', {
    signal: ending.signal,
    isReloadOwed: false,
  })
  await eventually(() => existsSync(join(folder, 'began')) || null, 'the reload runs')
  ending.abort()
  writeFileSync(join(folder, 'go'), '')

  assert.equal((await applied).kind, 'changed')
  assert.equal(existsSync(join(folder, 'ended')), true)
})
