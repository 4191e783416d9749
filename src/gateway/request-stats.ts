/** Counts an exchange, or a stream, in the scoreboard. */
import { type Reason, reasonNumber } from '../http/message/errors.ts'
import type { Exchange } from '../http/exchange.ts'
import { NO_GRPC_STATUS } from '../http/grpc/status.ts'
import type { ServedBy } from '../observe/access-record.ts'
import { COUNT, DURATION_BOUNDS } from '../scoreboard/layout.ts'
import { count, type ScoreboardView, type Slot } from '../scoreboard/scoreboard.ts'

export type { ServedBy }

export const NOT_SERVED: ServedBy = { frontend: '', backend: '', server: '', attempts: 0 }

export function servedBy(
  frontend: string,
  pool: { readonly id: string } | null,
  endpoint: { readonly url: string } | null,
  attempts: number,
): ServedBy {
  return { frontend, backend: pool?.id ?? '', server: endpoint?.url ?? '', attempts }
}

/** An exchange or a stream of a route begins. */
export function countBegin(route: Slot): void {
  count(route, COUNT.underWay, 1)
}

/** It has ended; `server` is the slot of the last attempt's server. */
export function countEnd(
  route: Slot,
  server: Slot | null,
  exchange: Exchange,
  durationMs: number,
): void {
  const { grpc } = exchange
  count(route, COUNT.underWay, -1)
  countExchange(route, exchange, durationMs)
  if (grpc !== null && grpc.status !== NO_GRPC_STATUS)
    count(route, COUNT.grpcStatus + grpc.status, 1)
  if (server !== null) countExchange(server, exchange, durationMs)
}

/** A stream has ended, whose bytes were counted as they passed. `status`: 200 if a server was connected. */
export function countStreamEnd(
  route: Slot,
  server: Slot | null,
  status: number,
  durationMs: number,
): void {
  count(route, COUNT.underWay, -1)
  countOutcome(route, status, durationMs)
  if (server !== null) countOutcome(server, status, durationMs)
}

/** Bytes of a stream, by COUNT.bytesIn (from the client) or COUNT.bytesOut. */
export function countStreamBytes(route: Slot, server: Slot, counter: number, bytes: number): void {
  count(route, counter, bytes)
  count(server, counter, bytes)
}

/** Adds one exchange to a slot's counters: status class, bytes and duration. */
function countExchange(slot: Slot, exchange: Exchange, durationMs: number): void {
  countOutcome(slot, exchange.countedStatus, durationMs)
  if (exchange.bytesIn > 0) count(slot, COUNT.bytesIn, exchange.bytesIn)
  if (exchange.bytesOut > 0) count(slot, COUNT.bytesOut, exchange.bytesOut)
}

function countOutcome(slot: Slot, code: number, durationMs: number): void {
  const { counts, base } = slot
  // RFC 9110 section 15: a status over 599 is taken as one of 5xx.
  const status = base + COUNT.status + Math.min(5, Math.floor(code / 100))
  counts[status] = (counts[status] ?? 0) + 1
  const seconds = durationMs / 1000
  let bucket = 0
  while (bucket < DURATION_BOUNDS.length && seconds > (DURATION_BOUNDS[bucket] ?? 0)) bucket++
  const cell = base + COUNT.duration + bucket
  counts[cell] = (counts[cell] ?? 0) + 1
  count(slot, COUNT.durationSum, seconds)
}

/** The reason of an exchange, and the status of a gRPC call. */
export function countEnding(board: ScoreboardView, { reason, grpc }: Exchange): void {
  countReason(board, reason)
  if (grpc === null || grpc.status === NO_GRPC_STATUS) return
  board.grpcStatuses[grpc.status] = (board.grpcStatuses[grpc.status] ?? 0) + 1
}

export function countReason(board: ScoreboardView, reason: Reason | null): void {
  if (reason === null) return
  const cell = reasonNumber(reason)
  board.reasons[cell] = (board.reasons[cell] ?? 0) + 1
}
