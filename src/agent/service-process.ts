/** The service as a process that the agent starts: it shares the standard streams, and is stopped after its registration is removed. */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { killGroup } from '../model/kill-group.ts'

export interface ServiceProcess {
  readonly pid: number
  /** Resolves with its exit code; 128 and the number of the signal that ended it. Never rejects. */
  readonly ended: Promise<number>
  signal(signal: NodeJS.Signals): void
  /** SIGTERM, and SIGKILL for it and what it has started when this time is over. Resolves when it has ended. */
  stop(withinMs: number): Promise<void>
  /** At once, for an end of the agent that waits for nothing. */
  kill(): void
}

/** Rejects with the reason if it cannot be started. */
export async function startService(command: readonly string[]): Promise<ServiceProcess> {
  const [program = '', ...args] = command
  // A group of its own: a Ctrl-C of a terminal goes to the agent alone, which stops the service in its turn.
  const child = spawn(program, args, { stdio: 'inherit', detached: true })
  const ended = new Promise<number>((resolve) => {
    child.on('exit', (code, signal) => resolve(code ?? 128 + numberOf(signal)))
  })
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', (error) =>
      reject(new Error(`cannot start ${program}: ${error.message}`, { cause: error })),
    )
  })
  // Of signals that it cannot be sent.
  child.on('error', () => {})
  return {
    pid: child.pid ?? 0,
    ended,
    signal: (signal) => void child.kill(signal),
    async stop(withinMs) {
      child.kill('SIGTERM')
      const timer = setTimeout(() => killGroup(child.pid), withinMs)
      await ended
      clearTimeout(timer)
    },
    kill: () => killGroup(child.pid),
  }
}

function numberOf(signal: NodeJS.Signals | null): number {
  return signal === null ? 0 : constants.signals[signal]
}
