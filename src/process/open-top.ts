/** What `sluice top` works with: the terminal, and the signals that end it. */
import { setTimeout as delay } from 'node:timers/promises'
import type { TopWorld } from '../cli/top/run.ts'

export function openTop(
  client: TopWorld['client'],
  isColored: boolean,
  complain: (line: string) => void,
): TopWorld {
  const end = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => end.abort())
  }
  // What reads the output has gone: `sluice top --json | head -1`.
  process.stdout.once('error', () => end.abort())
  return {
    client,
    output: process.stdout,
    input: process.stdin,
    complain,
    isColored,
    pause: (ms, signal) => delay(ms, undefined, { signal }).catch(() => undefined),
    ended: end.signal,
  }
}
