/** The signals that the program handles. */
export interface Signals {
  /** Resolves with the first SIGTERM or SIGINT; the second ends the program immediately. */
  readonly stop: Promise<NodeJS.Signals>
}

export interface SignalActions {
  readonly reload: () => void
  readonly reopen: () => void
  readonly upgrade: () => void
}

export function listenForSignals({ reload, reopen, upgrade }: SignalActions): Signals {
  const { promise: stop, resolve } = Promise.withResolvers<NodeJS.Signals>()
  let isStopping = false
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (isStopping) process.exit(1)
      isStopping = true
      resolve(signal)
    })
  }
  process.on('SIGHUP', reload)
  process.on('SIGUSR1', reopen)
  process.on('SIGUSR2', upgrade)
  return { stop }
}
