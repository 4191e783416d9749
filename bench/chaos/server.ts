/** A server whose behaviour is switched while it serves, and that can be killed, stopped and started anew on its port: the other end of server.process.ts. */
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Owner } from '../../test/support/daemon.ts'
import { createWatch } from '../../test/support/until.ts'
import { converse } from '../processes.ts'

export type Behaviour =
  | { readonly kind: 'ok' | 'reset' | 'truncate' | 'garbage' | 'refuse' | 'close-on-accept' }
  /** This share of the responses, 0 to 1, is a 500. */
  | { readonly kind: 'fail'; readonly share: number }
  | { readonly kind: 'slow'; readonly times: number }

/** A line of the process. */
export type ServerMessage =
  | { readonly switched: Behaviour['kind'] }
  | { readonly arrivals: readonly (readonly [atMs: number, number: number])[] }

export interface Arrival {
  readonly atMs: number
  /** Of the request. */
  readonly number: number
}

export interface ChaosServer {
  readonly url: string
  /** All requests, except health probes. */
  readonly arrivals: readonly Arrival[]
  /** Resolves when it is so. */
  readonly follow: (behaviour: Behaviour) => Promise<void>
  readonly kill: () => Promise<void>
  /** A new process on the same port. */
  readonly restart: () => Promise<void>
  readonly hang: () => void
  readonly resume: () => void
}

const PATIENCE_MS = 60_000

export async function startServer(
  owner: Owner,
  port: number,
  delayMs: number,
): Promise<ChaosServer> {
  const program = fileURLToPath(new URL('./server.process.ts', import.meta.url))
  const watch = createWatch()
  const arrivals: Arrival[] = []
  let child: ChildProcess | null = null
  let switches = 0

  function onLine(line: string): void {
    const message = JSON.parse(line) as ServerMessage
    if ('switched' in message) switches++
    else for (const [atMs, number] of message.arrivals) arrivals.push({ atMs, number })
    watch.changed()
  }

  async function switched(act: () => void): Promise<void> {
    const before = switches
    act()
    await watch.until(() => switches > before, 'the server follows', PATIENCE_MS)
  }

  const start = (): Promise<void> =>
    switched(() => {
      child = converse([process.execPath, program, String(port), String(delayMs)])
      child.stdin?.on('error', () => {})
      if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', onLine)
    })

  async function kill(): Promise<void> {
    const killed = child
    child = null
    if (killed === null) return
    const gone = new Promise((done) => killed.once('close', done))
    killed.kill('SIGKILL')
    await gone
  }

  owner.after(kill)
  await start()
  return {
    url: `http://127.0.0.1:${port}`,
    arrivals,
    follow: (behaviour) =>
      switched(() => void child?.stdin?.write(JSON.stringify(behaviour) + '\n')),
    kill,
    restart: start,
    hang: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
  }
}
