/** A program in a terminal of its own: `script` of util-linux gives it a pty, which sizes, keys and signals reach as usual. */
import { execFileSync, spawn } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import type { TestContext } from 'node:test'
import { createWatch } from './until.ts'

export interface Pty {
  /** All that the terminal has received, control sequences included. */
  output(): string
  type(keys: string): void
  resize(columns: number, rows: number): void
  /** Sends a signal to the program itself. */
  signal(name: NodeJS.Signals): void
  until<T>(look: () => T | undefined | null | false, what: string): Promise<T>
  /** Its exit code. */
  ended(): Promise<number>
}

export interface PtyOptions {
  readonly columns?: number
  readonly rows?: number
  readonly env?: Readonly<Record<string, string>>
}

/** `command`: for sh; it becomes the program in the terminal. */
export function openPty(t: TestContext, command: string, options: PtyOptions = {}): Pty {
  const { columns = 100, rows = 30, env = {} } = options
  // Node gives terminals of CI no colours.
  const { CI: _ci, ...withoutCi } = process.env
  const start = `stty cols ${columns} rows ${rows}; exec ${command}`
  const child = spawn('script', ['-qefc', start, '/dev/null'], {
    env: { ...withoutCi, TERM: 'xterm', SHELL: '/bin/sh', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const watch = createWatch()
  let output = ''
  let code: number | null = null
  child.stdout.on('data', (piece: Buffer) => {
    output += piece.toString()
    watch.changed()
  })
  child.once('close', (ended, signal) => {
    code = ended ?? (signal === null ? -1 : -2)
    watch.changed()
  })
  child.stdin.on('error', () => {})
  t.after(() => {
    if (code === null) child.kill('SIGKILL')
  })

  /** The program that `script` has started. */
  function inner(): number {
    for (const entry of readdirSync('/proc')) {
      if (!/^\d+$/.test(entry)) continue
      try {
        const [, parent] =
          /^\d+ \([^]*\) \S (\d+)/.exec(readFileSync(`/proc/${entry}/stat`, 'utf8')) ?? []
        if (Number(parent) === child.pid) return Number(entry)
      } catch {
        // It has ended meanwhile.
      }
    }
    throw new Error('the program in the terminal has ended')
  }

  return {
    output: () => output,
    type: (keys) => void child.stdin.write(keys),
    resize(wide, high) {
      const terminal = readlinkSync(`/proc/${inner()}/fd/0`)
      execFileSync('stty', ['-F', terminal, 'cols', String(wide), 'rows', String(high)])
    },
    signal: (name) => process.kill(inner(), name),
    until: (look, what) => watch.until(look, what),
    ended: async () => (await watch.until(() => (code === null ? null : { code }), 'its end')).code,
  }
}
