/**
 * A 101 that came before the end of the request's body. RFC 9110 section 7.8: the protocol does not change in the middle of a
 * message. So the 101 is passed to the client when its body has ended; its bytes from then on belong to the tunnel.
 */
import type { ResponseHead } from '../../http/message/response-head.ts'
import type { RequestWriter } from './request-writer.ts'

/** How much the server may send into the tunnel meanwhile. */
const EARLY_BYTES = 64 * 1024

export class PendingUpgrade {
  readonly head: ResponseHead
  /** The first bytes of the tunnel. */
  early: Buffer = Buffer.alloc(0)

  constructor(head: ResponseHead) {
    this.head = head
  }

  /** False: stop reading. Reading continues until then, so that a server that closes the connection is noticed. */
  add(data: Buffer): boolean {
    this.early = Buffer.concat([this.early, data])
    return this.early.length <= EARLY_BYTES
  }
}

/** Why a 101 is not a valid response to this request, or null. */
export function faultOfUpgrade(head: ResponseHead, writer: RequestWriter): string | null {
  const { wantsUpgrade, ended, wantsBody } = writer
  if (!wantsUpgrade || head.upgrade === '')
    return 'the server switched protocols without being asked'
  return ended || wantsBody
    ? null
    : 'the server switched protocols before it requested the request body'
}
