/** How much of everything: the full run takes about 25 minutes, the quick one takes a minute. */
export interface Plan {
  readonly quick: boolean
  /** Each round gives every contender one window of load, one after the other. */
  readonly rounds: number
  /** Whole seconds: wrk takes no others. */
  readonly windowSeconds: number
  /** At most: it ends as soon as two seconds in a row agree, behind the least number of requests. */
  readonly warmUpSeconds: number
  /** At least, however steady it looks: V8 compiles the last functions of a request after some 100,000 of them. */
  readonly warmUpRequests: number
  /** How long a program that has just become ready is left alone before it is watched. */
  readonly settleSeconds: number
  /** How long nothing changes before the changes begin. */
  readonly quietSeconds: number
  /** 0 leaves the second load generator out. */
  readonly autocannonSeconds: number
  /** Memory is the slope between two numbers of idle connections. */
  readonly idleConnections: readonly [number, number]
  /** The same through a TCP listener; fewer where the limit of open files is lower. */
  readonly idleTcpConnections: readonly [number, number]
  /** Sizes of routing tables, after 1. */
  readonly routeCounts: readonly number[]
  readonly routeRounds: number
  readonly readyRoutes: number
  readonly changes: number
  readonly additions: number
}

export const FULL: Plan = {
  quick: false,
  rounds: 5,
  windowSeconds: 3,
  warmUpSeconds: 30,
  warmUpRequests: 150_000,
  settleSeconds: 5,
  quietSeconds: 5,
  autocannonSeconds: 5,
  idleConnections: [1000, 6000],
  idleTcpConnections: [1000, 10_000],
  routeCounts: [10_000, 100_000],
  routeRounds: 5,
  readyRoutes: 100_000,
  changes: 200,
  additions: 3000,
}

export const QUICK: Plan = {
  quick: true,
  rounds: 2,
  windowSeconds: 1,
  warmUpSeconds: 5,
  warmUpRequests: 20_000,
  settleSeconds: 1,
  quietSeconds: 2,
  autocannonSeconds: 0,
  idleConnections: [500, 1500],
  idleTcpConnections: [500, 2500],
  routeCounts: [10_000],
  routeRounds: 1,
  readyRoutes: 100_000,
  changes: 20,
  additions: 150,
}

/** The size of the table that is changed under load. */
export const CHANGING_ROUTES = 10_000
