/** What the frames of a case mean to a plain reader of the tests, as far as it can read them. */
import { contentOf, createFrameReader, FLAG, type Frame, TYPE } from '../support/http2/frames.ts'
import { HpackReader } from '../support/http2/hpack.ts'
import type { Field } from '../support/message.ts'

const MOST_BYTES = 16_384

/** Whole frames; the rest is within one, or a head is not at its end: nothing that follows can be read as it is meant. */
export function framesOf(pieces: readonly Buffer[]): {
  readonly frames: readonly Frame[]
  readonly isWithin: boolean
  /** Of a frame that is not whole. */
  readonly rest: Buffer
} {
  const frames: Frame[] = []
  const reader = createFrameReader()
  const bytes = Buffer.concat(pieces)
  reader.push(bytes)
  let read = 0
  let isWithinHead = false
  for (let next = reader.next(); next !== null; next = reader.next()) {
    frames.push(next)
    read += 9 + next.payload.length
    if (next.type === TYPE.headers || next.type === TYPE.continuation)
      isWithinHead = (next.flags & FLAG.endHeaders) === 0
  }
  return { frames, isWithin: isWithinHead || read < bytes.length, rest: bytes.subarray(read) }
}

export interface ReferenceResponse {
  readonly status: number
  readonly body: string
  /**
   * With END_STREAM, and with nothing before it that ends the stream or the connection. With Content-Length the body is what that announces:
   * a client of HTTP/1.1 has the whole once it has so much, and ignores what follows.
   */
  readonly isWhole: boolean
}

export function responseIn(pieces: readonly Buffer[], streamId: number): ReferenceResponse {
  const hpack = new HpackReader()
  const { frames, rest } = framesOf(pieces)
  let status = 0
  let body = ''
  let block: Buffer[] | null = null
  let first: Frame | null = null
  let announced = -1
  const result = (ends: boolean): ReferenceResponse => {
    if (announced < 0) return { status, body, isWhole: ends }
    return { status, body: body.slice(0, announced), isWhole: body.length >= announced }
  }
  for (const one of frames) {
    if (one.payload.length > MOST_BYTES) return result(false)
    if (block !== null && one.type !== TYPE.continuation) return result(false)
    const isOwn = one.streamId === streamId
    if (one.type === TYPE.reset && isOwn) return result(false)
    const ends = (one.flags & FLAG.endStream) !== 0
    if (one.type === TYPE.data && isOwn) {
      const content = contentWithin(one)
      if (content === null || status === 0) return result(false)
      body += content.toString('latin1')
      if (ends) return result(true)
    } else if (one.type === TYPE.headers || one.type === TYPE.continuation) {
      const content = one.type === TYPE.headers ? contentWithin(one) : one.payload
      if (content === null || (one.type === TYPE.continuation && block === null))
        return result(false)
      if (one.type === TYPE.headers) first = one
      block = [...(block ?? []), content]
      if ((one.flags & FLAG.endHeaders) === 0) continue
      const fields = decoded(hpack, Buffer.concat(block))
      block = null
      if (fields === null) return result(false)
      if (first?.streamId !== streamId) continue
      const given = Number(fields.find(([name]) => name === ':status')?.[1] ?? 0)
      if (status === 0 && given >= 200) {
        status = given
        if (status !== 304)
          announced = Number(fields.find(([name]) => name === 'content-length')?.[1] ?? -1)
      }
      if ((first.flags & FLAG.endStream) !== 0) return result(status !== 0)
    }
  }
  if (block !== null || status === 0) return result(false)
  // Content is passed on as it comes. What is missing then may be padding alone.
  const part = dataOfPart(rest, streamId)
  if (part === null) return result(false)
  body += part.content
  return result(part.ends)
}

function dataOfPart(
  part: Buffer,
  streamId: number,
): { readonly content: string; readonly ends: boolean } | null {
  const isOwn = part.length > 9 && part[3] === TYPE.data && part.readUInt32BE(5) === streamId
  if (!isOwn || part.readUIntBE(0, 3) > MOST_BYTES) return null
  const flags = part[4] ?? 0
  const isPadded = (flags & FLAG.padded) !== 0
  const from = isPadded ? 10 : 9
  const to = 9 + part.readUIntBE(0, 3) - (isPadded ? (part[9] ?? 0) : 0)
  if (to < from) return null
  const content = part.subarray(from, to).toString('latin1')
  return { content, ends: (flags & FLAG.endStream) !== 0 && content.length === to - from }
}

function contentWithin(one: Frame): Buffer | null {
  const { flags, payload, type } = one
  const padding = (flags & FLAG.padded) === 0 ? 0 : 1 + (payload[0] ?? 256)
  const priority = type === TYPE.headers && (flags & FLAG.priority) !== 0 ? 5 : 0
  return padding + priority > payload.length ? null : contentOf(one)
}

function decoded(hpack: HpackReader, bytes: Buffer): readonly Field[] | null {
  try {
    return hpack.read(bytes)
  } catch {
    return null
  }
}
