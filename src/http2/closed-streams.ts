/**
 * The streams that were closed last, and how: frames that were under way when this side reset a stream are no fault of the peer
 * (RFC 9113 section 5.1), others are.
 */
export const UNKNOWN = 0
/** Both sides have ended it. */
export const ENDED = 1
export const RESET_BY_PEER = 2
export const RESET_HERE = 3

const REMEMBERED = 64

export class ClosedStreams {
  readonly #ids = new Uint32Array(REMEMBERED)
  readonly #how = new Uint8Array(REMEMBERED)
  #next = 0

  add(id: number, how: number): void {
    this.#ids[this.#next] = id
    this.#how[this.#next] = how
    this.#next = (this.#next + 1) % REMEMBERED
  }

  how(id: number): number {
    const at = this.#ids.indexOf(id)
    return at < 0 ? UNKNOWN : (this.#how[at] ?? UNKNOWN)
  }
}
