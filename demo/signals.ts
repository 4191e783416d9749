/** When a demonstration ends: with a signal, or with the npm that runs it. */

const SAME_SIGNAL_MS = 500

/** `end` is called for each signal; `hurry` for a second one, which does not wait. */
export function onEndOfDemonstration(end: () => void, hurry: () => void): void {
  let firstAt = Infinity
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      // One Ctrl-C arrives twice: from the terminal, and forwarded by npm.
      if (Date.now() - firstAt > SAME_SIGNAL_MS) hurry()
      firstAt = Math.min(firstAt, Date.now())
      end()
    })
  }
  // npm forwards signals, but cannot forward its own SIGKILL.
  const parent = process.ppid
  const watch = (): void => {
    if (process.ppid !== parent) end()
  }
  if (process.env['npm_lifecycle_event'] !== undefined) setInterval(watch, 1000).unref()
}
