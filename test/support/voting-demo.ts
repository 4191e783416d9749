/** `npm run demo:voting` as a user runs it: what it prints, and what is typed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Owner } from './daemon.ts'
import { choosePort } from './ports.ts'
import { askAdmin } from './program.ts'
import { createWatch } from './until.ts'

export interface VotingDemo {
  readonly port: number
  readonly databaseUrl: string
  readonly folder: string
  /** Types a line; resolves with what is printed once a line matches. */
  type(line: string, reply: RegExp): Promise<string>
  /** The process of each program, by its name: `vote-1`, `redis`. */
  pids(): Promise<ReadonlyMap<string, number>>
  /** Requests in flight at one of the servers. */
  inFlight(id: string): Promise<number>
  /** Resolves with the exit code. */
  interrupt(): Promise<number | null>
}

const PROGRAM = fileURLToPath(new URL('../../demo/voting.ts', import.meta.url))
/** On a busy machine: PostgreSQL makes its data folder, and seven programs start. */
const PATIENCE_MS = 60_000

export async function startVotingDemo(
  owner: Owner,
  ...args: readonly string[]
): Promise<VotingDemo> {
  const port = await choosePort()
  const admin = await choosePort()
  const ports = ['--port', String(port), '--admin', String(admin)]
  const demo = spawn(process.execPath, [PROGRAM, ...ports, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const watch = createWatch()
  const lines: string[] = []
  let code: number | null | undefined
  for (const input of [demo.stdout, demo.stderr]) {
    createInterface({ input }).on('line', (line) => {
      lines.push(line)
      watch.changed()
    })
  }
  const closed = new Promise((resolve) => demo.once('close', resolve))
  demo.once('close', (status) => {
    code = status
    watch.changed()
  })
  owner.after(() => endDemo(demo, closed))

  async function printed(pattern: RegExp, from: number): Promise<RegExpExecArray> {
    return watch.until(
      () => {
        const text = lines.slice(from).join('\n')
        const found = pattern.exec(text)
        if (found === null && code !== undefined) throw new Error(`the demo has ended: ${text}`)
        return found
      },
      `the demo prints ${pattern}`,
      PATIENCE_MS,
    )
  }

  async function type(line: string, reply: RegExp): Promise<string> {
    const from = lines.length
    demo.stdin.write(`${line}\n`)
    const [text] = await printed(reply, from)
    return text
  }

  const [, databaseUrl = ''] = await printed(/psql (\S+)/, 0)
  const [, folder = ''] = await printed(/Logs +(\S+)\/\*\.log/, 0)
  return {
    port,
    databaseUrl,
    folder,
    type,
    async pids() {
      const text = await type('status', /^ +sluice [^]*^ +result-\d+ .*$/m)
      return new Map(
        [...text.matchAll(/^ +(\S+) +pid (\d+)/gm)].map(([, name = '', pid]) => [
          name,
          Number(pid),
        ]),
      )
    },
    async inFlight(id) {
      const { text } = await askAdmin(admin, '/api/servers')
      const servers = JSON.parse(text) as { id: string; inFlight: number }[]
      return servers.find((server) => server.id === id)?.inFlight ?? 0
    },
    async interrupt() {
      demo.kill('SIGINT')
      await closed
      return code ?? null
    },
  }
}

/** Its guard ends what it has started. */
async function endDemo(demo: ChildProcess, closed: Promise<unknown>): Promise<void> {
  if (demo.exitCode === null && demo.signalCode === null) demo.kill('SIGKILL')
  await closed
}
