/** Streams that got something in a read of the socket, and want to know its end. */
import type { Http2Stream } from './stream.ts'

export interface ReadEnds {
  /** It got a head or data. */
  touch(stream: Http2Stream): void
  /** The read has ended. */
  end(): void
  /** A stream has ended, or was reset. */
  closed(): void
}

/** Of a client: all of them at once. */
export class ClientReadEnds implements ReadEnds {
  #touched: Http2Stream[] = []

  touch(stream: Http2Stream): void {
    if (stream.readEnded === undefined || this.#touched.at(-1) === stream) return
    this.#touched.push(stream)
  }

  end(): void {
    if (this.#touched.length === 0) return
    const touched = this.#touched
    this.#touched = []
    for (const stream of touched) endRead(stream)
  }

  closed(): void {}
}

export function endRead(stream: Http2Stream): void {
  if (stream.isReset) return
  try {
    stream.readEnded?.()
  } catch (error) {
    stream.caught(error)
  }
}
