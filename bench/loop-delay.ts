/** What Sluice says itself of the longest delay of each thread's event loop, in ms by thread. */
export type LoopDelays = Readonly<Record<string, number>>

export interface LoopWatch {
  readonly finish: () => LoopDelays
}

const SAMPLE = /^sluice_event_loop_delay_seconds\{(.*)\} (\S+)$/gm
/** The figure is that of the last second: looked at more often, none is missed. */
const EVERY_MS = 700

export function watchLoopDelays(adminPort: number): LoopWatch {
  const longest: Record<string, number> = {}
  const look = async (): Promise<void> => {
    for (const [thread, ms] of await readDelays(adminPort)) {
      longest[thread] = Math.max(longest[thread] ?? 0, ms)
    }
  }
  // A look that fails says nothing about delays; the scenario notices by itself when Sluice is gone.
  const timer = setInterval(() => void look().catch(() => {}), EVERY_MS)
  return {
    finish() {
      clearInterval(timer)
      return longest
    },
  }
}

async function readDelays(adminPort: number): Promise<[string, number][]> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/metrics`)
  const samples = [...(await response.text()).matchAll(SAMPLE)]
  return samples
    .filter(([, labels = '']) => labels.includes('stat="max"'))
    .map(([, labels = '', seconds]) => [
      /thread="([^"]*)"/.exec(labels)?.[1] ?? '',
      Number(seconds) * 1000,
    ])
}
