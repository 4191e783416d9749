/** The servers of a backend that get requests, and how an actuator takes some of them out before they stop. */
import { setTimeout as passed } from 'node:timers/promises'

export interface RotationServer {
  readonly id: string
  readonly url: string
  readonly inFlight: number
}

export type IsServer = (server: Pick<RotationServer, 'id' | 'url'>) => boolean

export interface Rotation {
  servers(): readonly RotationServer[]
  /** The servers for which `isHeld` is true get no new requests, those that are declared later, too. */
  hold(isHeld: IsServer): Hold
}

export interface Hold {
  /** What `isHeld` returns has changed. */
  update(): void
  /** They get requests again. A second call does nothing. */
  release(): void
}

/** Serving threads know of a hold by then: a server that was idle for so long stays idle. */
const QUIET_MS = 300
const POLL_MS = 50

/**
 * Resolves when none of these servers has had a request in flight for a moment, after `withinMs`, or when `signal` aborts. Never
 * rejects.
 */
export async function whenIdle(
  rotation: Rotation,
  isServer: IsServer,
  withinMs: number,
  signal: AbortSignal,
): Promise<void> {
  const begun = performance.now()
  let quietSince = begun
  for (;;) {
    const servers = rotation.servers().filter(isServer)
    const now = performance.now()
    if (servers.length === 0 || signal.aborted || now - begun >= withinMs) return
    if (servers.some(({ inFlight }) => inFlight > 0)) quietSince = now
    else if (now - quietSince >= QUIET_MS) return
    await passed(POLL_MS, undefined, { signal }).catch(() => {})
  }
}
