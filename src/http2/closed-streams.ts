/**
 * The streams that were closed last, and how: frames that were under way when this side reset a stream are no fault of the peer
 * (RFC 9113 section 5.1), others are. Of a stream below a reset that was forgotten it is not known, so it counts as reset: such
 * frames cost little, and end no connection that others share.
 */
export const UNKNOWN = 0
/** Both sides have ended it. */
export const ENDED = 1
export const RESET_BY_PEER = 2
export const RESET_HERE = 3

const REMEMBERED = 64

export class ClosedStreams {
  /** Apart from the others, or a busy connection would forget them within a round trip. */
  readonly #resets = new Uint32Array(REMEMBERED)
  readonly #ids = new Uint32Array(REMEMBERED)
  readonly #how = new Uint8Array(REMEMBERED)
  #nextReset = 0
  #next = 0
  /** The highest id of a reset that is not remembered any more. */
  #forgotten = 0

  add(id: number, how: number): void {
    if (how === RESET_HERE) {
      this.#forgotten = Math.max(this.#forgotten, this.#resets[this.#nextReset] ?? 0)
      this.#resets[this.#nextReset] = id
      this.#nextReset = (this.#nextReset + 1) % REMEMBERED
      return
    }
    this.#ids[this.#next] = id
    this.#how[this.#next] = how
    this.#next = (this.#next + 1) % REMEMBERED
  }

  how(id: number): number {
    if (this.#resets.includes(id)) return RESET_HERE
    const at = this.#ids.indexOf(id)
    if (at >= 0) return this.#how[at] ?? UNKNOWN
    return id <= this.#forgotten ? RESET_HERE : UNKNOWN
  }
}
