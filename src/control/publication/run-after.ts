/**
 * Runs `run` after `waitMs`; in the next turn of the event loop if that is not positive, because a timer takes at least a
 * millisecond. Returns a function that cancels it.
 */
export function runAfter(run: () => void, waitMs: number): () => void {
  if (waitMs <= 0) {
    const turn = setImmediate(run)
    return () => clearImmediate(turn)
  }
  const timer = setTimeout(run, waitMs)
  return () => clearTimeout(timer)
}
