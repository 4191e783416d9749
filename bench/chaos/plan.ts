/** How long each phase is: the whole run without attacks stays below 6 minutes, the quick one below 2, the one in `npm test` below 40 seconds. */
export interface Plan {
  readonly requestsPerSecond: number
  readonly warmUpMs: number
  readonly quietMs: number
  readonly faultMs: number
  /** Of the faults that a pool is only to live with. */
  readonly shortFaultMs: number
  readonly afterMs: number
  /** Of the agent: how long its registry is away. */
  readonly registryAwayMs: number
  /** Of the breaker: before it trips, while it is tripped, and while it recovers. */
  readonly breakerMs: { readonly good: number; readonly tripped: number; readonly recovery: number }
  /** Of one attack of many; those that a limit of time ends may take longer. */
  readonly attackMs: number
  readonly rateSeconds: number
  /** Fewer where the limit of open files is lower: each takes two of Sluice. */
  readonly tcpConnections: number
  readonly distinctKeys: number
  /** Of scaling: the long window, how long the load is low and high, and how long it is idle until it scales to zero. */
  readonly scale: {
    readonly stableMs: number
    readonly baseMs: number
    readonly loadMs: number
    readonly idleMs: number
  }
  readonly costRounds: number
  /** Whole seconds: wrk takes no others. */
  readonly costWindowSeconds: number
}

export const FULL: Plan = {
  requestsPerSecond: 400,
  warmUpMs: 1_500,
  quietMs: 3_000,
  faultMs: 9_000,
  shortFaultMs: 5_000,
  afterMs: 3_000,
  registryAwayMs: 60_000,
  breakerMs: { good: 2_500, tripped: 2_000, recovery: 4_000 },
  attackMs: 10_000,
  rateSeconds: 10,
  tcpConnections: 10_000,
  distinctKeys: 1_000_000,
  scale: { stableMs: 60_000, baseMs: 15_000, loadMs: 60_000, idleMs: 10_000 },
  costRounds: 9,
  costWindowSeconds: 3,
}

export const QUICK: Plan = {
  requestsPerSecond: 400,
  warmUpMs: 1_000,
  quietMs: 1_500,
  faultMs: 4_000,
  shortFaultMs: 2_000,
  afterMs: 2_000,
  registryAwayMs: 8_000,
  breakerMs: { good: 1_000, tripped: 1_000, recovery: 2_000 },
  attackMs: 3_000,
  rateSeconds: 4,
  tcpConnections: 3_000,
  distinctKeys: 200_000,
  scale: { stableMs: 12_000, baseMs: 6_000, loadMs: 15_000, idleMs: 4_000 },
  costRounds: 3,
  costWindowSeconds: 1,
}

/** In a test: counts and shares hold, times are generous. */
export const SHORT: Plan = {
  ...QUICK,
  requestsPerSecond: 250,
  warmUpMs: 400,
  quietMs: 600,
  faultMs: 2_500,
  shortFaultMs: 1_000,
  afterMs: 300,
}
