import assert from 'node:assert/strict'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { type ProgramOptions, runProgram } from '../../src/model/run-program.ts'
import { isRunning } from '../support/processes.ts'
import { makeFolder } from '../support/program.ts'
import { eventually } from '../support/until.ts'

const NORMAL: ProgramOptions = {
  ...{ failed: 'the hook failed', timeoutMs: 20_000, graceMs: 100, maxOutput: 1_000 },
}

function program(t: TestContext, lines: string): string {
  const path = join(makeFolder(t), 'program')
  writeFileSync(path, `#!/bin/sh\n${lines}\n`)
  chmodSync(path, 0o755)
  return path
}

test('a program gets its arguments as they are, its folder and its variables', async (t) => {
  const cwd = makeFolder(t)
  const shows = program(t, 'echo "$1|$2|$WHO|$(pwd)"')

  const output = await runProgram([shows, 'a b', '$(id)'], { ...NORMAL, cwd, env: { WHO: 'me' } })

  assert.equal(output, `a b|$(id)|me|${cwd}\n`)
})

test('a failure is one line with the end of what it wrote to standard error', async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    [program(t, 'printf "no\\nway\\033[2J" >&2; exit 17'), 'it ended with 17: no way\\u001b[2J'],
    [program(t, 'kill -9 $$'), 'it was ended by SIGKILL'],
    [program(t, 'yes x'), 'it writes more than 1000 characters'],
    ['/nowhere/program', 'there is no such program'],
    [makeFolder(t), 'it may not be executed'],
    // Node throws for this one, rather than to emit an error.
    ['/etc/passwd/program', 'spawn ENOTDIR'],
  ]
  for (const [path, reason] of cases) {
    await assert.rejects(runProgram([path], NORMAL), { message: `the hook failed: ${reason}` })
  }
})

test('output that is not asked for is not read', async (t) => {
  const floods = program(t, 'head -c 10000000 /dev/zero; echo no >&2; exit 1')

  const run = runProgram([floods], { ...NORMAL, maxOutput: 0 })

  await assert.rejects(run, { message: 'the hook failed: it ended with 1: no' })
})

test('a program that hangs ends in time, with all that it has started', async (t) => {
  const pids = join(makeFolder(t), 'pids')
  const hangs = program(t, `trap '' TERM; sleep 1000 & echo $! $$ > ${pids}; wait; wait`)

  await assert.rejects(runProgram([hangs], { ...NORMAL, timeoutMs: 300 }), {
    message: 'the hook failed: it did not end within 0.3 s',
  })

  const all = readFileSync(pids, 'utf8').trim().split(' ')
  assert.equal(all.length, 2)
  await eventually(() => !all.some(isRunning), 'all have ended')
})

test('a signal ends a program, and keeps one from starting', async (t) => {
  const folder = makeFolder(t)
  const starts = program(t, `touch ${folder}/started; exec sleep 1000`)
  const ending = new AbortController()

  const run = runProgram([starts], { ...NORMAL, signal: ending.signal })
  const failed = assert.rejects(run, { message: 'the hook failed: it was stopped' })
  await eventually(() => existsSync(join(folder, 'started')), 'it runs')
  ending.abort()
  await failed

  const late = program(t, `touch ${folder}/late`)
  await assert.rejects(runProgram([late], { ...NORMAL, signal: ending.signal }), {
    message: 'the hook failed: it was stopped',
  })
  assert.equal(existsSync(join(folder, 'late')), false)
})
