/** What a listener announces to HTTP/2 clients, and what it bears of them (attacks by name: docs/listeners.md). */
import { INITIAL_WINDOW } from '../http2/frames.ts'
import type { BudgetLimits } from '../http2/budget.ts'
import type { LinkOptions } from '../http2/link.ts'
import type { Http2Options, Listener } from '../model/snapshot.ts'

/** `suspect`: a connection of this address was cut off for misuse a moment ago. */
export type Standing = 'unknown' | 'trusted' | 'suspect'

const BUDGETS: Readonly<Record<Standing, BudgetLimits>> = {
  /** A browser that leaves a page resets all its requests at once; no client does so all the time. */
  unknown: { burst: 200, perSecond: 50 },
  /** A proxy in front shares a connection among many users, and all of them may leave. */
  trusted: { burst: 5_000, perSecond: 1_000 },
  /** Others may share the address: they are slower, and not refused. */
  suspect: { burst: 50, perSecond: 10 },
}
/** They all are reset when it is cut off. */
const MOST_SUSPECT_STREAMS = 10
/** Requests that begin in a turn of the event loop. Those of a suspect may be reset, or cut off, by the next read. */
const BEGUN_AT_ONCE = 16
const SUSPECTS_BEGUN_AT_ONCE = 2
/** Clients send theirs with the preface, and acknowledge those of the listener a round trip later. */
const SETTINGS_MS = 10_000

export function toLinkOptions(
  { limits, timeouts }: Listener,
  http2: Http2Options,
  standing: Standing,
): LinkOptions {
  return {
    role: 'server',
    settings: {
      maxStreams:
        standing === 'suspect' ? Math.min(http2.streams, MOST_SUSPECT_STREAMS) : http2.streams,
      streamWindow: http2.windowBytes,
      connectionWindow: Math.max(http2.connectionWindowBytes, INITIAL_WINDOW),
      headBytes: limits.headBytes,
      fields: limits.fields,
      enableConnect: http2.websockets,
    },
    budget: BUDGETS[standing],
    begunAtOnce: standing === 'suspect' ? SUSPECTS_BEGUN_AT_ONCE : BEGUN_AT_ONCE,
    timeouts: {
      headMs: timeouts.headMs,
      settingsMs: SETTINGS_MS,
      stallMs: timeouts.bodyMs,
    },
  }
}
