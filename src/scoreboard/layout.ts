/**
 * The layout of a scoreboard page. A slot counts one object (frontend, backend, server, listener) and has two halves:
 *
 *   shared cells   Int32, read and written by every thread with Atomics: what decisions are taken from
 *   columns        Float64, one column a serving thread, written by that thread alone with plain stores: what is only
 *                  reported. A counter with one writer needs no atomic, and the sum over columns is exact.
 *
 * Pages are added as objects come, so nothing is sized at start; a page that sees no traffic costs no resident memory.
 */
export const SLOTS_PER_PAGE = 512

/** Offsets of the shared cells in a slot. */
export const SHARED = {
  /** Exchanges under way, over all threads. */
  inFlight: 0,
  /** Next turn of a backend's round-robin. */
  ticket: 1,
  /** Connections open, over all threads. */
  connections: 2,
  /** A server that failed to connect is passed over until this time (tenths of a second since the scoreboard began). */
  restUntil: 3,
  /** Connect failures in a row. */
  failures: 4,
  /** Written by the control plane only (later: health, breaker). */
  health: 5,
  breaker: 6,
} as const
export const SHARED_CELLS = 8

/** Upper bounds of the duration buckets, in seconds; one more bucket takes what is above. */
export const DURATION_BOUNDS: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
]

/**
 * Offsets of the counters in a thread's column of a slot. What every request writes stands in the first two lines of the
 * processor's cache: with 10,000 routes each line is a miss.
 */
export const COUNT = {
  /** Exchanges ended, by status class: + 1 is 1xx ... + 5 is 5xx; + 0 are those that ended without an answer. */
  status: 0,
  /** Bytes of bodies, from and to the client. */
  bytesIn: 6,
  bytesOut: 7,
  /** What this thread holds of the shared inFlight: taken back by the control plane when the thread dies. */
  inFlight: 8,
  durationSum: 9,
  /** DURATION_BOUNDS.length + 1 buckets, not cumulative. */
  duration: 10,
  /** Requests sent again on another (or a fresh) connection. */
  retries: 25,
  connectFailures: 26,
  /** Connections opened (server) or accepted (listener). */
  opened: 27,
  tlsFailures: 28,
  /** As inFlight, of the shared connections. */
  connections: 29,
} as const
export const COUNTERS = 32

/** Room for the reasons of the proxy's own answers (the error catalogue in http/ numbers them). */
export const REASONS = 64
