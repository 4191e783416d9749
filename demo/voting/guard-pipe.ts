/** The demonstration's end of the pipe to guard.ts. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Surroundings } from './supervised.ts'

const GUARD = fileURLToPath(new URL('guard.ts', import.meta.url))

export interface GuardPipe {
  readonly note: Surroundings['note']
  /** Ends what still runs; resolves when that and the folder are gone. */
  close(): Promise<void>
}

export function startGuard(folder: string): GuardPipe {
  const guard = spawn(process.execPath, [GUARD, folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  const ended = once(guard, 'exit')
  return {
    note: (line) => void guard.stdin.write(`${line}\n`),
    async close() {
      guard.stdin.end()
      await ended
    },
  }
}
