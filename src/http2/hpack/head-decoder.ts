/**
 * HPACK decoding (RFC 7541) of request and response heads, straight from the read buffer into the text that the rest of Sluice
 * keeps: lines `name: value CRLF`. The result of `decode` is in the decoder's fields until the next call.
 */
export type HeadKind = 'request' | 'response'

/** The head is well-formed. */
export const OK = 0
/** The block cannot be decoded: the tables of both sides differ from here on, so the connection ends (section 4.3 of RFC 9113). */
export const COMPRESSION = 1
/** The head breaks a rule of RFC 9113 section 8; `fault` says which. The connection goes on. */
export const MALFORMED = 2
/** More fields or bytes than the limits allow; what was decoded is incomplete. The connection goes on. */
export const TOO_LARGE = 3
export type DecodeResult = typeof OK | typeof COMPRESSION | typeof MALFORMED | typeof TOO_LARGE

/** Every field counts: crumbs of Cookie, pseudo-fields and trailers, too. */
export interface DecoderLimits {
  readonly fields: number
  /** The sum of name + value + 32 of each field (RFC 9113 section 6.5.2). */
  readonly headBytes: number
}

export class HeadDecoder {
  readonly kind: HeadKind
  readonly limits: DecoderLimits

  // Of requests; '' if absent.
  method = ''
  /** `http` or `https`. */
  scheme = ''
  /** `/...`, or `*` for OPTIONS; '' for CONNECT without `:protocol`. */
  path = ''
  authority = ''
  /** RFC 8441; only if the link announces it. */
  protocol = ''
  /** The Host field; if there is `:authority`, too, the two are equal. */
  host = ''

  /** Of responses: 100 to 999 except 101. */
  status = 0

  /**
   * The lines of all plain fields in order, names in lower case; without Host, Cookie, Content-Length, TE, Expect, Trailer, forwarding
   * fields and those of a hop. Of trailers: all fields.
   */
  fields = ''
  /** Forwarding fields and their look-alikes (`isForwarding`): only a trusted peer may set them. */
  forwarding = ''
  /** The crumbs joined by `; `; '' if absent. */
  cookie = ''
  /** -1 if absent. */
  contentLength = -1
  /** `te: trailers` is there. */
  te = false
  /** The value of Expect; '' if absent. */
  expect = ''
  /** The lines of Trailer. */
  trailerLine = ''
  /** Date is there. */
  isDated = false
  /** Why the head is malformed, for the log. */
  fault = ''

  constructor(kind: HeadKind, limits: DecoderLimits) {
    this.kind = kind
    this.limits = limits
  }

  decode(_bytes: Buffer, _from: number, _to: number, _trailers: boolean): DecodeResult {
    throw new Error('not there yet')
  }
}
