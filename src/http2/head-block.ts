/** A header block in several frames (RFC 9113 section 4.3): HEADERS without END_HEADERS, and the CONTINUATIONs behind it. */
export class HeadBlock {
  readonly streamId: number
  /** Of the HEADERS frame. */
  readonly flags: number
  readonly #fragments: Buffer[]
  #bytes: number

  /** The fragment is copied. */
  constructor(streamId: number, flags: number, bytes: Buffer, from: number, to: number) {
    this.streamId = streamId
    this.flags = flags
    this.#fragments = [Buffer.from(bytes.subarray(from, to))]
    this.#bytes = to - from
  }

  /** Bounded before anything is decoded, as floods of CONTINUATION demand (CVE-2024-27983 and its kin). False: it is too large. */
  add(bytes: Buffer, from: number, to: number, maxFrames: number, maxBytes: number): boolean {
    this.#bytes += to - from
    if (this.#fragments.length > maxFrames || this.#bytes > maxBytes) return false
    this.#fragments.push(Buffer.from(bytes.subarray(from, to)))
    return true
  }

  whole(): Buffer {
    return Buffer.concat(this.#fragments, this.#bytes)
  }
}
