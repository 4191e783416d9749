/**
 * The layout of a scoreboard page. A slot counts one object (frontend, backend, server, listener) and has two halves:
 *
 *   shared cells   Int32, read and written by every thread with Atomics: what decisions are based on
 *   columns        Float64, one column per serving thread, written by that thread alone with plain stores: what is only
 *                  reported. A counter with one writer needs no atomics, and the sum over columns is exact.
 *
 * Pages are added with objects, so there is no fixed size; a page without traffic uses no resident memory.
 */
export const SLOTS_PER_PAGE = 512

/** Offsets of the shared cells in a slot. */
export const SHARED = {
  /** Exchanges under way, over all threads; those of a frontend are COUNT.underWay, since nothing is decided by them. */
  inFlight: 0,
  /** Next turn of a backend's round-robin. */
  ticket: 1,
  /** Connections open, over all threads. */
  connections: 2,
  /** A server that failed to connect is skipped until this time (tenths of a second since the scoreboard began). */
  backoffUntil: 3,
  /** Consecutive connect failures, which set the length of the next backoff. */
  connectFailureStreak: 4,
  /**
   * Of a server or a breaker: the share of its turns that it takes. 0: all; NO_TRAFFIC: none; 1 to 999: so many of a thousand.
   * Written only by the control plane, which combines health, ejection, breaker and slow start.
   */
  trafficShare: 5,
  /** Consecutive failures and 5xx responses. */
  errorStreak: 6,
  /** The longest streaks since the control plane last read them and reset them to 0. */
  longestFailureStreak: 7,
  longestErrorStreak: 8,
  /** Peak-EWMA of a server's time to the response's head in microseconds, and when it was last updated, ms of the board's clock. */
  ewma: 9,
  ewmaAt: 10,
  /** Of a backend: the retry budget, see policy/retrying/retry-budget.ts. */
  retryTokens: 11,
  retryCap: 12,
  retryAt: 13,
  retrySeen: 14,
  /** Consecutive failed attempts. */
  failureStreak: 15,
  /** Of a server: the number of its last failure's reason (http/message/errors.ts) plus one; 0: none. */
  lastFailure: 11,
  /** Of a server: what its last connection speaks (SPOKEN), if that is chosen as it connects; 0: not known. */
  spoken: 12,
  /** Of a backend: next turn of its backup servers. */
  backupTicket: 3,
  /** Of a backend: turns of further attempts, separate from those of first attempts. */
  retryTicket: 4,
  /** Of a middleware: its current limit, and the number of waiting requests. */
  limit: 1,
  waiting: 2,
} as const
export const SHARED_CELLS = 16

/** SHARED.spoken. */
export const SPOKEN: Readonly<Record<'http/1.1' | 'h2', number>> = { 'http/1.1': 1, h2: 2 }

/** SHARED.trafficShare: takes no turns. */
export const NO_TRAFFIC = -1

/** Upper bounds of the duration buckets, in seconds; one more bucket counts what is above. */
export const DURATION_BOUNDS: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
]

/**
 * Offsets of the counters in a thread's column of a slot. What every request writes is in the first two cache lines: with
 * 10,000 routes each line is a cache miss.
 */
export const COUNT = {
  /** Exchanges ended, by status class: + 1 is 1xx ... + 5 is 5xx; + 0 are those that ended without a response. */
  status: 0,
  /** Bytes of bodies, from and to the client. */
  bytesIn: 6,
  bytesOut: 7,
  /** This thread's part of the shared inFlight, which the control plane subtracts when the thread dies. */
  inFlight: 8,
  /** Of a frontend: its exchanges under way in this thread; of a listener: its HTTP/2 connections. */
  underWay: 9,
  durationSum: 10,
  /** DURATION_BOUNDS.length + 1 buckets, not cumulative. */
  duration: 11,
  /** Requests sent again on another (or a fresh) connection. */
  retries: 26,
  connectFailures: 27,
  /** Connections opened (server) or accepted (listener). */
  opened: 28,
  tlsFailures: 29,
  /** As inFlight, of the shared connections. */
  connections: 30,
  /** Of a server: attempts that failed before a response, and responses of 5xx; of a breaker: see policy/breaking/condition.ts. */
  failed: 31,
  errors: 32,
  /** Of a backend: requests, and retries that its budget refused. Of a listener: requests by HTTP/1. */
  requests: 33,
  retriesRefused: 34,
  /** Of a server: attempts with a response. Of a middleware: defined by it, here and below. */
  responses: 35,
  headMs: 36,
  /** Of a listener: connections closed immediately because the last descriptors were in use. */
  notKept: 37,
  /** Of a listener: requests by HTTP/2, and connections that were cut off for misuse of it. */
  http2Requests: 38,
  http2Misused: 39,
  /** Of a backend that scales from zero: requests that wait in this thread for a server, see upstream/held-requests.ts. */
  held: 9,
  /** Of those that no longer wait: how many a server was ready for, how long these waited, and how many waited too long. */
  heldReleased: 40,
  heldSeconds: 41,
  heldLate: 42,
  /** Requests that might not wait, because too many did. */
  heldRefused: 43,
  /** Of a frontend: gRPC calls that ended, a cell for each status (http/grpc/status.ts). It has none of the counters from here on. */
  grpcStatus: 31,
} as const
/** Whole cache lines. */
export const COUNTERS = 48

/** Cells of the table of a middleware that keeps keys, and of one key in it: see policy/limiting/key-table.ts. */
export const TABLE_KEYS = 65_536
export const TABLE_CELLS_PER_KEY = 2

/** Cells by which threads report failing servers, see ScoreboardView.raiseAlarm. */
export const ALARMS = 1024

/** Maximum number of reasons of local responses (http/message/errors.ts numbers them). */
export const REASONS = 64
/** A cell for each status of gRPC calls (http/grpc/status.ts), and room to the end of the cache line. */
export const GRPC_STATUSES = 24
