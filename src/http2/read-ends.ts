/**
 * Streams that got something in a read of the socket, and want to know its end. To a server that is when requests begin, so a turn of the
 * event loop begins a few of a connection: others get their turn between them, and those that are reset meanwhile never begin
 * (CVE-2023-44487).
 */
import type { Http2Stream } from './stream.ts'

/**
 * Of a server's connection. Each request costs some 50 us, and more on a new connection to its server, so four connections with a hundred
 * requests each would hold all others for 20 ms and more.
 */
export const BEGUN_AT_ONCE = 16

export class ReadEnds {
  readonly #most: number
  #touched: Http2Stream[] = []
  #isScheduled = false

  constructor(most: number) {
    this.#most = most
  }

  touch(stream: Http2Stream): void {
    if (stream.readEnded === undefined || this.#touched.at(-1) === stream) return
    this.#touched.push(stream)
  }

  /** The read has ended. */
  end(): void {
    if (this.#touched.length === 0 || this.#isScheduled) return
    const touched = this.#touched
    this.#touched = []
    if (touched.length > this.#most) {
      this.#touched = touched.splice(this.#most)
      this.#isScheduled = true
      setImmediate(goOn, this)
    }
    for (const stream of touched) {
      if (stream.isReset) continue
      try {
        stream.readEnded?.()
      } catch (error) {
        stream.caught(error)
      }
    }
  }

  /** Those that were reset take no place in the next turn. */
  goOn(): void {
    this.#isScheduled = false
    this.#touched = this.#touched.filter(({ isReset }) => !isReset)
    this.end()
  }
}

function goOn(ends: ReadEnds): void {
  ends.goOn()
}
