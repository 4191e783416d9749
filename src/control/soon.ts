/** Runs it after the time, or in the next turn when there is none to wait: a timer takes at least a millisecond. Answers how to call it off. */
export function runSoon(run: () => void, waitMs: number): () => void {
  if (waitMs <= 0) {
    const turn = setImmediate(run)
    return () => clearImmediate(turn)
  }
  const timer = setTimeout(run, waitMs)
  return () => clearTimeout(timer)
}

/** What it answers runs it at once, but never twice within the time: then once more at its end. */
export function atMostEvery(everyMs: number, run: () => void): () => void {
  let timer: NodeJS.Timeout | null = null
  let isAsked = false

  function rest(): void {
    timer = setTimeout(() => {
      timer = null
      if (isAsked) ask()
    }, everyMs)
    timer.unref()
  }

  function ask(): void {
    isAsked = timer !== null
    if (isAsked) return
    rest()
    run()
  }
  return ask
}
