// Issue 15, rendered files: a program that is killed while a command of a template runs, and the next one in its place.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { makeFolder, startProgram, type Program } from '../support/program.ts'
import { eventually } from '../support/until.ts'

async function start(t: TestContext, folder: string, template: object): Promise<Program> {
  return startProgram(
    t,
    {
      workers: 1,
      listeners: { web: { address: '127.0.0.1:0' } },
      templates: { a: { dest: 'a.conf', ...template } },
    },
    { folder },
  )
}

/** A command that runs until it is killed. */
function hang(t: TestContext, folder: string): { command: string; began: Promise<number> } {
  const path = join(folder, 'pid')
  const read = (): number | null =>
    existsSync(path) ? Number(readFileSync(path, 'utf8')) || null : null
  t.after(() => {
    const pid = read()
    if (pid !== null) process.kill(pid, 'SIGKILL')
  })
  const began = eventually(read, 'the command runs', 60_000)
  began.catch(() => {})
  return { command: `echo $$ > ${path}; exec sleep 600`, began }
}

async function kill(program: Program): Promise<void> {
  program.signal('SIGKILL')
  await program.ended()
}

function filesOf(folder: string): readonly string[] {
  return readdirSync(folder).filter((name) => name.includes('a.conf'))
}

test('what a killed program has staged is gone once the next one has rendered', async (t) => {
  const folder = makeFolder(t)
  const { command, began } = hang(t, folder)
  const first = await start(t, folder, { template: 'one', check: command, timeout: '1h' })
  await began
  await kill(first)
  const left = filesOf(folder)
  writeFileSync(join(folder, '.a.conf.swp'), 'of an editor')

  const next = await start(t, folder, { template: 'one' })
  await next.logged(`template a: ${join(folder, 'a.conf')} is written`)

  assert.equal(left.length, 1)
  assert.deepEqual(filesOf(folder).toSorted(), ['.a.conf.swp', 'a.conf'])
  await next.logged('template a: 1 staged file of a program that has ended is removed')
})

test('a reload that a killed program has not ended runs with the next start, and once', async (t) => {
  const folder = makeFolder(t)
  const { command, began } = hang(t, folder)
  const first = await start(t, folder, { template: 'one', reload: command, timeout: '1h' })
  await began
  await kill(first)
  const reload = `echo reloaded >> ${folder}/reloads`
  const reloads = (): string | null =>
    existsSync(join(folder, 'reloads')) ? readFileSync(join(folder, 'reloads'), 'utf8') : null

  const second = await start(t, folder, { template: 'one', reload })
  await eventually(reloads, 'the reload')
  await eventually(() => filesOf(folder).length === 1, 'nothing is due')
  await kill(second)
  const third = await start(t, folder, { template: 'one', reload })
  await eventually(async () => {
    const [report] = JSON.parse((await third.ask('/api/templates')).text) as { state: string }[]
    return report?.state === 'current'
  }, 'it is rendered')

  assert.equal(readFileSync(join(folder, 'a.conf'), 'utf8'), 'one')
  assert.equal(reloads(), 'reloaded\n')
  assert.deepEqual(filesOf(folder), ['a.conf'])
})
