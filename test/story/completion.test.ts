// needs: zsh, fish
// Issue 14: "shell completion for bash, zsh, fish": each in its own shell, with the ids of a running Sluice.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { makeFolder, type Program, startProgram } from '../support/program.ts'
import { openPty } from '../support/pty.ts'
import { eventually } from '../support/until.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const run = promisify(execFile)

interface Place {
  readonly folder: string
  readonly env: NodeJS.ProcessEnv
}

/** A folder with the files one.yaml and other.yaml, and `sluice` on the PATH. */
function openPlace(t: TestContext, program?: Program): Place {
  const folder = makeFolder(t)
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  writeFileSync(join(bin, 'sluice'), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`)
  chmodSync(join(bin, 'sluice'), 0o755)
  for (const name of ['one.yaml', 'other.yaml']) writeFileSync(join(folder, name), '')
  const config = program === undefined ? {} : { SLUICE_CONFIG: program.config }
  const env = {
    ...{ PATH: `${bin}:${process.env['PATH'] ?? ''}`, HOME: folder, ...config },
    NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
  }
  return { folder, env: { ...env, SLUICE_ADMIN_ADDRESS: `127.0.0.1:${program?.admin ?? 1}` } }
}

function startVote(t: TestContext): Promise<Program> {
  return startProgram(t, {
    workers: 1,
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: {
      vote: { servers: { v1: 'http://127.0.0.1:9', v2: 'http://127.0.0.1:10' } },
      shop: { servers: { s1: 'http://127.0.0.1:11' } },
    },
    frontends: { vote: { route: 'PathPrefix("/")', backend: 'vote' } },
  })
}

/** What bash would insert for a line, by the function that it calls. */
async function inBash(line: string, { folder, env }: Place): Promise<string[]> {
  const script = `
eval "$(sluice completion bash)"
COMP_LINE=$1 COMP_POINT=\${#1}
_sluice
printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout } = await run('bash', ['--norc', '-c', script, 'bash', line], { cwd: folder, env })
  return stdout.split('\n').filter((word) => word !== '')
}

async function inFish(line: string, { folder, env }: Place): Promise<string[]> {
  const script = 'sluice completion fish | source; complete -C $argv[1]'
  const { stdout } = await run('fish', ['--no-config', '-c', script, line], { cwd: folder, env })
  return stdout.split('\n').flatMap((one) => (one === '' ? [] : [one.split('\t')[0] ?? '']))
}

test('bash and fish complete commands, flags, values and files', async (t) => {
  const place = openPlace(t)

  const [commands, flags, value, files, inFishFiles, inFishValue] = await Promise.all([
    inBash('sluice back', place),
    inBash('sluice backend upsert --tlsM', place),
    inBash('sluice serve --log-access=co', place),
    inBash('sluice check o', place),
    inFish('sluice check o', place),
    inFish('sluice serve --log-access=co', place),
  ])

  assert.deepEqual(commands, ['backend'])
  assert.deepEqual(flags, ['--tlsMinV', '--tlsMaxV'])
  // bash has taken what is before the = for another word.
  assert.deepEqual(value, ['common', 'combined'])
  assert.deepEqual(files.toSorted(), ['one.yaml', 'other.yaml'])
  assert.deepEqual(inFishFiles.toSorted(), ['one.yaml', 'other.yaml'])
  assert.deepEqual(inFishValue.toSorted(), ['--log-access=combined', '--log-access=common'])
})

test('bash and fish complete ids of the running Sluice', async (t) => {
  const place = openPlace(t, await startVote(t))
  /** Sluice has half a second to respond, which a busy machine may not give it. */
  const found = (
    complete: (line: string, place: Place) => Promise<string[]>,
    line: string,
  ): Promise<string[]> =>
    eventually(async () => {
      const words = await complete(line, place)
      return words.length > 0 ? words.toSorted() : null
    }, `ids for ${line}`)

  assert.deepEqual(await found(inBash, 'sluice backend show --id '), ['shop', 'vote'])
  assert.deepEqual(await found(inBash, 'sluice drain vote/'), ['vote/v1', 'vote/v2'])
  assert.deepEqual(await found(inBash, 'sluice backend show --id=v'), ['vote'])
  assert.deepEqual(await found(inFish, 'sluice backend show --id '), ['shop', 'vote'])
})

test('without a Sluice, shells complete what needs none', async (t) => {
  const place = openPlace(t)

  assert.deepEqual(await inBash('sluice backend show --id ', place), [])
  assert.deepEqual(await inBash('sluice top --on', place), ['--once'])
})

for (const [shell, command, setUp] of [
  ['bash', 'bash --norc -i', 'eval "$(sluice completion bash)"'],
  ['zsh', 'zsh -f -i', 'autoload -Uz compinit; compinit -u -D; source <(sluice completion zsh)'],
  ['fish', 'fish --no-config -i', 'sluice completion fish | source'],
] as const) {
  test(`the key Tab completes in ${shell}`, async (t) => {
    const { env } = openPlace(t)
    const pty = openPty(t, command, { env: { ...(env as Record<string, string>), TERM: 'dumb' } })

    pty.type(`${setUp}; echo set-"up"\n`)
    await pty.until(() => pty.output().includes('set-up'), 'it is set up')
    pty.type('sluice vers\t')
    await pty.until(() => /sluice vers.*ion/s.test(plain(pty.output())), 'the word is whole')
    pty.type('\n')

    await pty.until(() => /sluice \d+\.\d+\.\d+ \(Node v/.test(pty.output()), 'the command runs')
    pty.type('exit\n')
  })
}

/** Without control sequences. */
function plain(text: string): string {
  return text.replaceAll(/\x1b\[[0-9;?]*[a-zA-Z]/g, '')
}
