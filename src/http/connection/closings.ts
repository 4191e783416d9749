/**
 * Ends sockets of connections that have ended, a few in a turn of the event loop. A socket that holds what nothing has read costs the
 * system 100 us and more, and a client that leaves ends hundreds at once.
 */
import type { Socket } from 'node:net'

const CLOSED_AT_ONCE = 8

export class Closings {
  #closed = 0
  #waiting: Socket[] = []
  #isScheduled = false

  /** At once, or in one of the next turns: nothing is read meanwhile. */
  close(socket: Socket): void {
    if (socket.destroyed) return
    this.#schedule()
    if (this.#closed < CLOSED_AT_ONCE) {
      this.#closed++
      socket.destroy()
      return
    }
    socket.pause()
    this.#waiting.push(socket)
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(nextTurn, this)
  }

  nextTurn(): void {
    this.#isScheduled = false
    this.#closed = 0
    for (const socket of this.#waiting.splice(0, CLOSED_AT_ONCE)) this.close(socket)
    if (this.#waiting.length > 0) this.#schedule()
  }
}

function nextTurn(closings: Closings): void {
  closings.nextTurn()
}

/** Of this thread. */
export const closings: Closings = new Closings()
