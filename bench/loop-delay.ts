/** What Sluice says itself of the longest delay of each thread's event loop, in ms by thread. */
export type LoopDelays = Readonly<Record<string, number>>

const SAMPLE = /^sluice_event_loop_delay_seconds\{(.*)\} (\S+)$/gm

export async function readLoopDelays(adminPort: number): Promise<LoopDelays> {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/metrics`)
  const delays: Record<string, number> = {}
  for (const [, labels = '', seconds] of (await answer.text()).matchAll(SAMPLE)) {
    if (!labels.includes('quantile="1"')) continue
    delays[/thread="([^"]*)"/.exec(labels)?.[1] ?? ''] = Number(seconds) * 1000
  }
  return delays
}
