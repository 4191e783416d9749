/**
 * The end of a connection after its last response: our side has ended, what the client still sends is read and dropped for a
 * moment, so that a reset does not take the response from it. The end of that response may itself still be on its way to a
 * slow reader: only one that takes nothing any more is cut.
 */
import type { Socket } from 'node:net'

const LINGER_MS = 2_000
const LINGER_BYTES = 256 * 1024

export class LingeringClose {
  readonly #socket: Socket
  readonly #writeMs: number
  #dropped = 0
  /** What had not left this process when it was looked at last. */
  #unwritten = Infinity

  /** `writeMs`: how long the client may seem to take nothing. */
  constructor(socket: Socket, writeMs: number) {
    this.#socket = socket
    this.#writeMs = writeMs
  }

  /** How long to wait before looking (again); null when it is over. */
  look(): number | null {
    const before = this.#unwritten
    const left = this.#socket.writableLength
    this.#unwritten = left
    if (left > 0) return left < before ? this.#writeMs : null
    return before > 0 ? LINGER_MS : null
  }

  /** False when the client has sent more than anybody should have to drop. */
  drop(bytes: number): boolean {
    this.#dropped += bytes
    return this.#dropped <= LINGER_BYTES
  }
}
