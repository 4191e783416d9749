/**
 * Handshakes that wait for a certificate: a client names a domain that no certificate has yet, and the main thread orders one if it
 * may (acme.onDemand). All clients of one name wait together. They go on when a listener gets the certificate, when it is refused,
 * or when the client would not wait longer; without the certificate they go on as if there were no such thing.
 */
import type { Socket } from 'node:net'

interface Waiting {
  readonly socket: Socket
  /** Whether its listener has a certificate for the name now. */
  readonly isCovered: () => boolean
  readonly goOn: () => void
  readonly onError: () => void
}

interface Wanted {
  readonly waiting: Set<Waiting>
  readonly timer: NodeJS.Timeout
}

const LONGEST_MS = 180_000
const MAX_WAITING = 1_000
const MAX_NAMES = 100
/** The main thread is not asked again. It remembers refusals for longer. */
const REFUSED_MS = 10_000
const MAX_REFUSED = 1_000

export class CertificateDemand {
  readonly #request: (name: string) => void
  readonly #wanted = new Map<string, Wanted>()
  /** When the name may be requested again. */
  readonly #refused = new Map<string, number>()
  #count = 0

  /** `request`: a name that is to be ordered if it may; once for each wait. */
  constructor(request: (name: string) => void) {
    this.#request = request
  }

  /** The socket is paused. False: it does not wait, because the name was refused, or because too many wait. */
  wait(socket: Socket, name: string, isCovered: () => boolean, goOn: () => void): boolean {
    if (this.#count >= MAX_WAITING || this.#isRefused(name)) return false
    let wanted = this.#wanted.get(name)
    if (wanted === undefined) {
      if (this.#wanted.size >= MAX_NAMES) return false
      const timer = setTimeout(() => this.#settle(name), LONGEST_MS)
      timer.unref()
      wanted = { waiting: new Set(), timer }
      this.#wanted.set(name, wanted)
      this.#request(name)
    }
    const { waiting } = wanted
    const one = { socket, isCovered, goOn, onError: () => {} }
    waiting.add(one)
    this.#count++
    socket.on('error', one.onError)
    socket.once('close', () => {
      if (waiting.delete(one)) this.#count--
    })
    return true
  }

  /** Listeners have other certificates. */
  certificatesChanged(): void {
    for (const [name, { waiting }] of this.#wanted) {
      for (const one of waiting) if (one.isCovered()) this.#release(waiting, one)
      if (waiting.size === 0) this.#settle(name)
    }
  }

  /** The name gets no certificate now. */
  refuse(name: string): void {
    this.#refused.delete(name)
    this.#refused.set(name, performance.now() + REFUSED_MS)
    const [oldest] = this.#refused.keys()
    if (this.#refused.size > MAX_REFUSED && oldest !== undefined) this.#refused.delete(oldest)
    this.#settle(name)
  }

  /** Closes the connections that wait. */
  destroy(): void {
    for (const { waiting, timer } of this.#wanted.values()) {
      clearTimeout(timer)
      for (const { socket } of waiting) socket.destroy()
    }
    this.#wanted.clear()
  }

  #isRefused(name: string): boolean {
    const until = this.#refused.get(name)
    return until !== undefined && until > performance.now()
  }

  #settle(name: string): void {
    const wanted = this.#wanted.get(name)
    if (wanted === undefined) return
    this.#wanted.delete(name)
    clearTimeout(wanted.timer)
    for (const one of wanted.waiting) this.#release(wanted.waiting, one)
  }

  #release(waiting: Set<Waiting>, one: Waiting): void {
    waiting.delete(one)
    this.#count--
    const { socket, goOn, onError } = one
    socket.off('error', onError)
    if (!socket.destroyed) goOn()
  }
}
