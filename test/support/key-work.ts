/** What `key-worker.ts` is given. */
export interface KeyWork {
  readonly table: SharedArrayBuffer
  /** One Int32: 1 when all may begin. */
  readonly gate: SharedArrayBuffer
  readonly keys: number
}

/** The time does not move meanwhile, ns. */
export const NOW = 1_000_000_000n

/** One token is 1,000 ns. */
export const RATE = { requests: 1000, periodMs: 1, burst: 1000 } as const
