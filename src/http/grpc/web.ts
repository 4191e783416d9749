/**
 * The parts of gRPC-Web that differ from gRPC: trailers as the last frame of the body, and bodies in base64.
 */
import { TRAILERS_FLAG, frameMessage } from './frame.ts'

/** `trailers`: lines as in a head. Names are in lower case. */
export function toTrailersFrame(trailers: string): Buffer {
  const lines = trailers.replace(/^[^:\r\n]+/gm, (name) => name.toLowerCase())
  return frameMessage(Buffer.from(lines, 'latin1'), TRAILERS_FLAG)
}

/** Fields of a response that consists of trailers, in the two places where gRPC-Web has them. */
export function splitTrailersOnly(fields: string): {
  readonly head: string
  readonly trailers: string
} {
  let head = ''
  let trailers = ''
  for (const [line] of fields.matchAll(/[^\r]*\r\n/g)) {
    if (/^grpc-(?:status|message)/i.test(line)) trailers += line
    else head += line
  }
  return { head, trailers }
}

/**
 * Decodes base64 that comes in pieces, each of which may have been encoded, and padded, by itself. Null: it is no base64.
 */
export class Base64Decoder {
  #rest = ''

  decode(piece: Buffer): Buffer | null {
    const text = this.#rest + piece.toString('latin1')
    const whole = text.length - (text.length % QUANTUM)
    this.#rest = text.slice(whole)
    const decoded: Buffer[] = []
    // A segment ends with its padding.
    for (const segment of text.slice(0, whole).match(/[^=]+={0,2}|=+/g) ?? []) {
      if (!isSegment(segment)) return null
      decoded.push(Buffer.from(segment, 'base64'))
    }
    const [only] = decoded
    return decoded.length === 1 && only !== undefined ? only : Buffer.concat(decoded)
  }

  /** No piece is missing. */
  get isComplete(): boolean {
    return this.#rest === ''
  }
}

const QUANTUM = 4

function isSegment(text: string): boolean {
  return text.length % QUANTUM === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text)
}
