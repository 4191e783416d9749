/**
 * After a 101 both connections carry another protocol (RFC 9110 section 7.8): each passes what it reads to the other end, waits
 * while the other end cannot take more, and passes a half-close on.
 */
export interface TunnelEnd {
  /** False: wait for the peer's `tunnelResume`. The callee may keep the buffer. */
  tunnelData(chunk: Buffer): boolean
  /** The other side will send no more. */
  tunnelFinish(): void
  /** This end may read on. */
  tunnelResume(): void
  /** The other side is gone. */
  tunnelAbort(): void
}
