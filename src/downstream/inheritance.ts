/** The inherited listening sockets of one thread, until its listeners take them. */
import { closeSync } from 'node:fs'
import { type InheritedSockets, isFor, type ListeningSocket } from '../model/listening-socket.ts'
import type { Listener } from '../model/snapshot.ts'

export class Inheritance {
  #own: readonly ListeningSocket[]
  readonly #others: readonly ListeningSocket[]

  constructor({ own, others }: InheritedSockets) {
    this.#own = own
    this.#others = others
  }

  /** Those for this listener, which owns their descriptors from then on. */
  take(listener: Listener): readonly ListeningSocket[] {
    const taken = this.#own.filter((socket) => isFor(socket, listener))
    this.#own = this.#own.filter((socket) => !taken.includes(socket))
    return taken
  }

  /** Those that no listener has taken, without unix sockets, which other threads know, too. */
  left(): readonly ListeningSocket[] {
    return this.#own.filter(({ at }) => typeof at !== 'string')
  }

  /** Closes those. */
  drop(): void {
    for (const { fd } of this.left()) closeSync(fd)
    this.#own = []
  }

  /** The socket of another thread for this listener. */
  ofAnother(listener: Listener): ListeningSocket | null {
    return this.#others.find((socket) => isFor(socket, listener)) ?? null
  }
}
