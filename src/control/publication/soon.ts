/** Runs it after the time, or in the next turn when there is none to wait: a timer takes at least a millisecond. Answers how to call it off. */
export function runSoon(run: () => void, waitMs: number): () => void {
  if (waitMs <= 0) {
    const turn = setImmediate(run)
    return () => clearImmediate(turn)
  }
  const timer = setTimeout(run, waitMs)
  return () => clearTimeout(timer)
}
