/** Bash into which a reader pastes blocks of the documentation: by a plain user in a folder of its own, on ports that are free. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, type TestContext } from 'node:test'
import { ROOT, type Step } from './docs.ts'
import { makeFolder } from './program.ts'
import { createWatch } from './until.ts'

/** `nobody`, with none of the rights of the user who runs the tests. */
const PLAIN = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
/** npm and Node of the machine, as on a user's PATH: without those of node_modules. */
export const SYSTEM: string = (process.env['PATH'] ?? '')
  .split(':')
  .filter((folder) => !folder.endsWith('node_modules/.bin'))
  .join(':')
const PATIENCE_MS = 60_000

/** Compiled code of the programs that the blocks start, for all tests of a file. */
const CACHE = mkdtempSync(join(tmpdir(), 'sluice-terminal-'))
chmodSync(CACHE, 0o777)
after(() => rmSync(CACHE, { recursive: true, force: true }))

export interface Pasted {
  readonly output: string
  readonly errors: string
  readonly code: number | null
}

export interface Terminal {
  readonly folder: string
  /** Replaces the usual ports with the test's. */
  withOwnPorts(text: string): string
  /** Resolves when bash and all that the text left running have ended. */
  paste(text: string, patienceMs?: number): Promise<Pasted>
}

export interface TerminalOptions {
  /** The test's ports by the usual ones. */
  readonly ports?: Readonly<Record<string, number>>
  readonly env?: Readonly<Record<string, string>>
  /** Shell scripts by the name of the command that they stand for. */
  readonly commands?: Readonly<Record<string, string>>
  /** Further folders of the checkout to copy. */
  readonly folders?: readonly string[]
  /** Default: a plain user. */
  readonly isRoot?: boolean
}

/** With the examples and all commands of the machine. */
export function openTerminal(t: TestContext, options: TerminalOptions = {}): Terminal {
  const { ports = {}, env = {}, commands = {}, folders = [], isRoot = false } = options
  const folder = makeFolder(t)
  const shims = join(makeFolder(t), 'bin')
  mkdirSync(shims)
  chmodSync(dirname(shims), 0o755)
  for (const [name, script] of Object.entries(commands)) {
    writeFileSync(join(shims, name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(shims, name), 0o755)
  }
  for (const part of ['config/examples', 'config/sluice.yaml', ...folders]) {
    cpSync(join(ROOT, part), join(folder, part), { recursive: true })
  }
  // What npm and its scripts need.
  for (const part of ['package.json', 'node_modules', 'demo']) {
    symlinkSync(join(ROOT, part), join(folder, part))
  }
  const command = isRoot ? [] : becomePlain(folder)
  const usual = new RegExp(`\\b(?:${Object.keys(ports).join('|')})\\b`, 'g')

  function withOwnPorts(text: string): string {
    return text.replace(usual, (port) => String(ports[port] ?? port))
  }

  return {
    folder,
    withOwnPorts,
    async paste(text, patienceMs = PATIENCE_MS) {
      const [file = '', ...words] = [...command, 'bash', '--norc']
      const child = spawn(file, words, {
        cwd: folder,
        env: {
          ...{ HOME: folder, PATH: `${shims}:${ROOT}:${SYSTEM}`, LANG: 'C' },
          ...{ NODE_COMPILE_CACHE: CACHE, ...env },
        },
        stdio: 'pipe',
        detached: true,
      })
      const watch = createWatch()
      let [output, errors] = ['', '']
      let code: number | null | undefined
      child.stdout.on('data', (chunk: Buffer) => void (output += chunk.toString()))
      child.stderr.on('data', (chunk: Buffer) => void (errors += chunk.toString()))
      child.once('close', (ended) => {
        code = ended
        watch.changed()
      })
      // Programs that it left running are in its process group.
      t.after(() => end(child.pid ?? 0))
      child.stdin.end(`${withOwnPorts(text)}wait\n`)
      const isEnded = watch.until(() => code !== undefined, 'its end', patienceMs)
      await isEnded.catch((error: unknown) => assert.fail(`${String(error)}\n${output}\n${errors}`))
      return { output, errors, code: code ?? null }
    },
  }
}

/** Between the outputs of two steps: no program prints it. */
const MARK = '\x1e'

/** Pastes the steps one after the other; asserts that each prints what the page says. */
export async function follow(
  terminal: Terminal,
  steps: readonly Step[],
  patienceMs?: number,
): Promise<void> {
  const blocks = steps.map(({ commands }) => `{\n${commands}} < /dev/null\necho ${MARK}\n`)

  const { output, errors } = await terminal.paste(blocks.join(''), patienceMs)

  const printed = output.split(`${MARK}\n`)
  const all = `${output}\n${errors}`
  assert.equal(printed.length, steps.length + 1, all)
  for (const [at, { commands, printed: expected }] of steps.entries()) {
    if (expected !== null) assert.equal(printed[at], expected, `${commands}\n${all}`)
  }
}

/** How to run a command as `nobody` in the folder; as the present user if `nobody` cannot read the checkout. */
function becomePlain(folder: string): readonly string[] {
  const test = [...PLAIN.slice(1), 'test', '-r', join(ROOT, 'node_modules/pino/package.json')]
  if (process.getuid?.() !== 0 || spawnSync('setpriv', test).status !== 0) return []
  assert.equal(spawnSync('chown', ['-R', '65534:65534', folder]).status, 0)
  return PLAIN
}

function end(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // All of it has ended.
  }
}
