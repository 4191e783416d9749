/** What a listener announces to HTTP/2 clients, and what it bears of them (attacks by name: docs/listeners.md). */
import { INITIAL_WINDOW } from '../http2/frames.ts'
import type { LinkOptions } from '../http2/link.ts'
import type { Http2Options, Listener } from '../model/snapshot.ts'

/** A browser that leaves a page resets all its requests at once; no client does so all the time. */
const BUDGET = { burst: 200, perSecond: 50 }
/** A proxy in front shares a connection among many users, and all of them may leave. */
const TRUSTED_BUDGET = { burst: 5_000, perSecond: 1_000 }
/** Clients send theirs with the preface, and acknowledge those of the listener a round trip later. */
const SETTINGS_MS = 10_000

export function toLinkOptions(
  { limits, timeouts }: Listener,
  http2: Http2Options,
  trusted: boolean,
): LinkOptions {
  return {
    role: 'server',
    settings: {
      maxStreams: http2.streams,
      streamWindow: http2.windowBytes,
      connectionWindow: Math.max(http2.connectionWindowBytes, INITIAL_WINDOW),
      headBytes: limits.headBytes,
      fields: limits.fields,
      enableConnect: http2.websockets,
    },
    budget: trusted ? TRUSTED_BUDGET : BUDGET,
    timeouts: {
      headMs: timeouts.headMs,
      settingsMs: SETTINGS_MS,
      stallMs: timeouts.bodyMs,
    },
  }
}
