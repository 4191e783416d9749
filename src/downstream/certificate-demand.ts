/**
 * Handshakes that wait for a certificate: a client names a domain that no certificate has yet, and the main thread orders one if it
 * may (acme.onDemand). All clients of one name wait together. They go on when a listener gets the certificate, when it is refused,
 * or when the client would not wait longer; without the certificate they go on as if there were no such thing. So does the one that
 * has waited longest when more come than may wait: a paused socket does not notice that its client has left.
 */
import type { Socket } from 'node:net'

interface Waiting {
  readonly socket: Socket
  /** Whether its listener has a certificate for the name now. */
  readonly isCovered: () => boolean
  readonly goOn: () => void
  /** Those of its name. */
  readonly group: Set<Waiting>
  readonly onError: () => void
  readonly onClose: () => void
}

interface Wanted {
  readonly group: Set<Waiting>
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
  /** Of all names, the oldest first. */
  readonly #waiting = new Set<Waiting>()

  /** `request`: a name that is to be ordered if it may; once for each wait. */
  constructor(request: (name: string) => void) {
    this.#request = request
  }

  /** The socket is paused. False: it does not wait, because the name was refused, or because too many names are waited for. */
  wait(socket: Socket, name: string, isCovered: () => boolean, goOn: () => void): boolean {
    if (this.#isRefused(name)) return false
    let wanted = this.#wanted.get(name)
    if (wanted === undefined) {
      if (this.#wanted.size >= MAX_NAMES) return false
      const timer = setTimeout(() => this.#settle(name), LONGEST_MS)
      timer.unref()
      wanted = { group: new Set(), timer }
      this.#wanted.set(name, wanted)
      this.#request(name)
    }
    const [oldest] = this.#waiting
    if (this.#waiting.size >= MAX_WAITING && oldest !== undefined) this.#release(oldest)
    const { group } = wanted
    const onClose = (): void => this.#remove(one)
    const one: Waiting = { socket, isCovered, goOn, group, onError: () => {}, onClose }
    group.add(one)
    this.#waiting.add(one)
    socket.on('error', one.onError)
    socket.once('close', onClose)
    return true
  }

  /** Listeners have other certificates. */
  certificatesChanged(): void {
    for (const [name, { group }] of this.#wanted) {
      for (const one of group) if (one.isCovered()) this.#release(one)
      if (group.size === 0) this.#settle(name)
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
    for (const { timer } of this.#wanted.values()) clearTimeout(timer)
    for (const { socket } of this.#waiting) socket.destroy()
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
    for (const one of wanted.group) this.#release(one)
  }

  #release(one: Waiting): void {
    this.#remove(one)
    if (!one.socket.destroyed) one.goOn()
  }

  #remove(one: Waiting): void {
    one.group.delete(one)
    this.#waiting.delete(one)
    one.socket.off('error', one.onError)
    one.socket.off('close', one.onClose)
  }
}
