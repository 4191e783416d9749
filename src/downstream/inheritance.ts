/** The inherited listening sockets of one thread, until its listeners take them. */
import { closeSync } from 'node:fs'
import { type InheritedSockets, isFor, type ListeningSocket } from '../model/listening-socket.ts'
import type { Listener } from '../model/snapshot.ts'

export class Inheritance {
  #own: readonly ListeningSocket[]
  readonly #others: readonly ListeningSocket[]
  readonly #unix: readonly ListeningSocket[]
  readonly #claims: Int32Array

  constructor({ own, others, unix, claims }: InheritedSockets) {
    this.#own = own
    this.#others = others
    this.#unix = unix
    this.#claims = claims
  }

  /** Those for this listener, which owns their descriptors from then on. */
  take(listener: Listener): readonly ListeningSocket[] {
    const taken = this.#own.filter((socket) => isFor(socket, listener))
    this.#own = this.#own.filter((socket) => !taken.includes(socket))
    const paths = this.#unix.filter((socket, at) => isFor(socket, listener) && this.#claim(at))
    return [...taken, ...paths]
  }

  /** Those that no listener has taken. Unix sockets are in those of other threads, too. */
  left(): readonly ListeningSocket[] {
    return [...this.#own, ...this.#unix.filter((_socket, at) => !this.#isClaimed(at))]
  }

  /** Closes those of a listener that is no more. Of systemd they stay, for a listener that is declared later. */
  drop(): void {
    for (const socket of this.#own) if (!isOfSystemd(socket)) closeSync(socket.fd)
    this.#own = this.#own.filter(isOfSystemd)
    for (const [at, socket] of this.#unix.entries()) {
      if (!isOfSystemd(socket) && this.#claim(at)) closeSync(socket.fd)
    }
  }

  /** The socket of another thread for this listener. */
  ofAnother(listener: Listener): ListeningSocket | null {
    return this.#others.find((socket) => isFor(socket, listener)) ?? null
  }

  /** False: a thread has it. */
  #claim(at: number): boolean {
    return Atomics.exchange(this.#claims, at, 1) === 0
  }

  #isClaimed(at: number): boolean {
    return Atomics.load(this.#claims, at) === 1
  }
}

function isOfSystemd({ declared }: ListeningSocket): boolean {
  return declared === null
}
