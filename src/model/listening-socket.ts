/** Listening sockets that a program gets from another one: from its predecessor in an upgrade, or from systemd. */
import { formatAddress } from './address.ts'
import { plainHost } from './ip.ts'
import { isSocketAddress } from './listener.ts'
import type { Address, ListenAddress } from './snapshot.ts'

export interface ListeningSocket {
  /** Of the program that has it. */
  readonly fd: number
  /** Where it listens; of a unix socket its path. */
  readonly at: Address | string
  /** The id of the listener that it was opened for; null: its address tells. */
  readonly listener: string | null
  /** What that listener declared, such as port 0; null: the name alone decides. */
  readonly declared: ListenAddress | null
}

/** The inherited sockets, as one serving thread sees them. */
export interface InheritedSockets {
  /** Ports, for this thread. */
  readonly own: readonly ListeningSocket[]
  /** For other threads. */
  readonly others: readonly ListeningSocket[]
  /** Unix sockets, for all threads: that of its listener takes each. */
  readonly unix: readonly ListeningSocket[]
  /** In memory that the threads share, a cell for each of `unix`: 1 once a thread has it. */
  readonly claims: Int32Array
}

export const NO_SOCKETS: InheritedSockets = {
  ...{ own: [], others: [], unix: [] },
  claims: new Int32Array(0),
}

/** Whether the socket is for this listener. */
export function isFor(
  socket: ListeningSocket,
  { id, address }: { readonly id: string; readonly address: ListenAddress },
): boolean {
  const { at, listener, declared } = socket
  if (listener === id && (declared === null || isSame(declared, address))) return true
  if (typeof at === 'string') return isSocketAddress(address) && at === address.path
  return isSame(at, address)
}

function isSame(a: ListenAddress, b: ListenAddress): boolean {
  if (isSocketAddress(a) || isSocketAddress(b)) {
    return isSocketAddress(a) && isSocketAddress(b) && a.path === b.path
  }
  return a.port === b.port && plainHost(a.host) === plainHost(b.host)
}

/** `127.0.0.1:8080`, or the path of a unix socket. */
export function describeSocket({ at }: ListeningSocket): string {
  return typeof at === 'string' ? at : formatAddress(at)
}

/**
 * Gives each serving thread its part. The sockets of one address go to the threads in turn: a thread may get several of them,
 * since connections would wait in one that no thread accepts from. Unix sockets are known to all, and one thread takes each: that of
 * its listener.
 */
export function dealSockets(
  sockets: readonly ListeningSocket[],
  threads: number,
): InheritedSockets[] {
  const dealt = new Map<string, number>()
  const own = Array.from({ length: threads }, (): ListeningSocket[] => [])
  const unix = sockets.filter(({ at }) => typeof at === 'string')
  const claims = new Int32Array(new SharedArrayBuffer(unix.length * Int32Array.BYTES_PER_ELEMENT))
  for (const socket of sockets) {
    if (unix.includes(socket)) continue
    const place = describeSocket(socket)
    const turn = dealt.get(place) ?? 0
    dealt.set(place, turn + 1)
    own[turn % threads]?.push(socket)
  }
  return own.map((mine) => ({
    own: mine,
    others: sockets.filter((socket) => !mine.includes(socket) && !unix.includes(socket)),
    ...{ unix, claims },
  }))
}
