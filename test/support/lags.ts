/** Times of a test on a busy machine: what a timer of this process is late by at that moment is not the code's. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'

export interface Lags {
  /** Measures how long it takes from the end of `change` to the end of `seen`. */
  measure<T>(change: () => Promise<unknown>, seen: () => Promise<T>): Promise<T>
  /** Two at least were seen within the bound, less what timers were late by: code that is slow delays them all. */
  assertWithin(boundMs: number): void
}

const SAMPLE_MS = 2
/** An event, a timer and a read: each of them waits for the machine. */
const STEPS = 3

export function measureLags(t: TestContext): Lags {
  const lags: { readonly ms: number; readonly latenessMs: number }[] = []
  let latenessMs = 0
  let sampledAt = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    latenessMs = Math.max(latenessMs, now - sampledAt - SAMPLE_MS)
    sampledAt = now
  }, SAMPLE_MS)
  t.after(() => clearInterval(timer))

  return {
    async measure(change, seen) {
      await change()
      const changedAt = performance.now()
      latenessMs = 0
      const found = await seen()
      const now = performance.now()
      const lateness = Math.max(latenessMs, now - sampledAt - SAMPLE_MS)
      lags.push({ ms: now - changedAt, latenessMs: lateness })
      return found
    },
    assertWithin(boundMs) {
      const said = lags.map(({ ms, latenessMs }) => {
        return `${ms.toFixed(0)} ms (timers late by ${latenessMs.toFixed(0)})`
      })
      t.diagnostic(`seen after ${said.join(', ')}`)
      const late = lags.filter(({ ms, latenessMs }) => ms - STEPS * latenessMs > boundMs)
      assert.ok(late.length <= lags.length - 2, `seen after ${said.join(', ')}`)
    },
  }
}
