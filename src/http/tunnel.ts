/**
 * After a 101 both connections carry bytes of a protocol that is not ours to read (RFC 9110 section 7.8): each passes
 * what it reads to the other end, waits when the other cannot take more, and passes a half-close on.
 */
export interface TunnelEnd {
  /** False asks to wait for the peer's `tunnelResume`. The buffer is the end's to keep. */
  tunnelData(chunk: Buffer): boolean
  /** The other side will send no more. */
  tunnelFinish(): void
  /** This end's reader may go on. */
  tunnelResume(): void
  /** The other side is gone. */
  tunnelAbort(): void
}
