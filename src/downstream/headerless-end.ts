/**
 * The client's end of a stream, of a peer that may not send a PROXY header: one that begins with a header is refused before a
 * byte reaches a server, which might believe it. The first bytes are held until that is decided, at most 11 of them. Servers may
 * speak first all the same.
 */
import { clock } from '../http/connection/clock.ts'
import type { Deadlines, Expiring } from '../http/connection/deadlines.ts'
import type { StreamEnd, StreamOwner } from '../http/connection/stream-end.ts'
import { beginsAsHeader } from '../http/proxy-protocol/header.ts'

/** How long a part of a header may be all that a client has sent. */
const MAX_WAIT_MS = 5_000
const NONE: Buffer = Buffer.alloc(0)

export class HeaderlessEnd implements StreamEnd, StreamOwner, Expiring {
  owner: StreamOwner | null = null
  deadlineAt: number = Infinity
  deadlineIndex = -1
  readonly #end: StreamEnd
  readonly #deadlines: Deadlines
  readonly #onHeader: () => void
  #isDecided = false
  #held: Buffer = NONE

  constructor(end: StreamEnd, deadlines: Deadlines, onHeader: () => void) {
    this.#end = end
    this.#deadlines = deadlines
    this.#onHeader = onHeader
    end.owner = this
  }

  received(_end: StreamEnd, buffer: Buffer, length: number): void {
    if (this.#isDecided) {
      this.owner?.received(this, buffer, length)
      return
    }
    const bytes = Buffer.concat([this.#held, buffer.subarray(0, length)])
    const begins = beginsAsHeader(bytes)
    if (begins === true) this.#refuse()
    else if (begins === 'more') this.#hold(bytes)
    else this.#pass(bytes)
  }

  #hold(bytes: Buffer): void {
    this.#held = bytes
    if (this.deadlineIndex >= 0) return
    this.deadlineAt = clock.now + MAX_WAIT_MS
    this.#deadlines.add(this)
  }

  #pass(bytes: Buffer): void {
    this.#decide()
    if (bytes.length > 0) this.owner?.received(this, bytes, bytes.length)
  }

  #decide(): void {
    this.#isDecided = true
    this.#held = NONE
    this.#deadlines.remove(this)
  }

  #refuse(): void {
    const { owner } = this
    this.reset()
    this.#onHeader()
    owner?.closed(this, new Error('a PROXY header came where none is expected'))
  }

  expire(): void {
    this.#refuse()
  }

  finished(): void {
    // It is too short for a header.
    if (!this.#isDecided) this.#pass(this.#held)
    this.owner?.finished(this)
  }

  drained(): void {
    this.owner?.drained(this)
  }

  closed(_end: StreamEnd, error: Error | null): void {
    this.#decide()
    this.owner?.closed(this, error)
    this.owner = null
  }

  fault(error: unknown): void {
    this.owner?.fault(error)
  }

  get isWriting(): boolean {
    return this.#end.isWriting
  }

  resume(): void {
    this.#end.resume()
  }

  pause(): void {
    this.#end.pause()
  }

  write(buffer: Buffer, length: number): boolean {
    return this.#end.write(buffer, length)
  }

  finish(): void {
    this.#end.finish()
  }

  reset(): void {
    this.owner = null
    this.#decide()
    this.#end.reset()
  }
}
