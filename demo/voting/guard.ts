/**
 * Ends what the demonstration has started if the demonstration itself is killed: `node guard.ts FOLDER`. Its standard input is
 * a pipe from the demonstration, with a line `+PID` for each process that starts and `-PID` for each that has ended. When the
 * pipe ends, what still runs is ended, and the folder removed.
 */
import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'

const [folder = ''] = process.argv.slice(2)
const ENDED_WITHIN_MS = 5000
const POLL_MS = 50

const running = new Set<number>()
// A Ctrl-C is for the demonstration, which ends this process last.
process.on('SIGINT', () => {})

const lines = createInterface({ input: process.stdin })
lines.on('line', (line) => {
  const pid = Number(line.slice(1))
  if (line.startsWith('+')) running.add(pid)
  else running.delete(pid)
})
lines.on('close', () => {
  // For PostgreSQL: do not wait for clients.
  for (const pid of running) signal(pid, 'SIGINT')
  const deadline = Date.now() + ENDED_WITHIN_MS
  const look = (): void => {
    const left = [...running].filter((pid) => signal(pid, 0))
    if (left.length > 0 && Date.now() < deadline) return void setTimeout(look, POLL_MS)
    for (const pid of left) signal(pid, 'SIGKILL')
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
  }
  look()
})

/** Returns whether the process is there. */
function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name)
  } catch {
    return false
  }
}
