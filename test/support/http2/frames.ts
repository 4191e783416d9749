/** HTTP/2 frames built byte by byte, right or wrong (RFC 9113 4 and 6); written for the tests alone, shares nothing with src/http2. */

export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

export const TYPE = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

export const FLAG = {
  none: 0,
  endStream: 0x1,
  ack: 0x1,
  endHeaders: 0x4,
  padded: 0x8,
  priority: 0x20,
} as const

export const ERROR = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSize: 6,
  refusedStream: 7,
  cancel: 8,
  compression: 9,
  connect: 10,
  enhanceYourCalm: 11,
  inadequateSecurity: 12,
  http11Required: 13,
} as const

export const SETTING = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  enableConnectProtocol: 8,
} as const

export interface Frame {
  readonly type: number
  readonly flags: number
  readonly streamId: number
  readonly payload: Buffer
}

type Bytes = Buffer | string

/** Any frame; `length` is what its header claims. */
export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: Bytes = '',
  length: number = payload.length,
): Buffer {
  const header = Buffer.alloc(9)
  header.writeUIntBE(length, 0, 3)
  header[3] = type
  header[4] = flags
  header.writeUInt32BE(streamId >>> 0, 5)
  return Buffer.concat([header, bytes(payload)])
}

export interface DataShape {
  readonly end?: boolean
  /** Bytes of padding; absent = not padded. */
  readonly padding?: number
}

export function dataFrame(streamId: number, payload: Bytes, shape: DataShape = {}): Buffer {
  const flags = shape.end === true ? FLAG.endStream : 0
  return padded(TYPE.data, flags, streamId, bytes(payload), shape.padding)
}

export interface HeadersShape extends DataShape {
  /** Without END_HEADERS: CONTINUATION follows. */
  readonly open?: boolean
  readonly priority?: Priority
}

export interface Priority {
  readonly dependsOn: number
  readonly weight?: number
  readonly exclusive?: boolean
}

export function headersFrame(streamId: number, block: Bytes, shape: HeadersShape = {}): Buffer {
  let flags: number = shape.end === true ? FLAG.endStream : 0
  if (shape.open !== true) flags |= FLAG.endHeaders
  let payload = bytes(block)
  if (shape.priority !== undefined) {
    flags |= FLAG.priority
    payload = Buffer.concat([priorityBytes(shape.priority), payload])
  }
  return padded(TYPE.headers, flags, streamId, payload, shape.padding)
}

export function continuationFrame(
  streamId: number,
  block: Bytes,
  shape: { readonly open?: boolean } = {},
): Buffer {
  return frame(TYPE.continuation, shape.open === true ? 0 : FLAG.endHeaders, streamId, block)
}

export function priorityFrame(streamId: number, priority: Priority): Buffer {
  return frame(TYPE.priority, 0, streamId, priorityBytes(priority))
}

export function resetFrame(streamId: number, code: number = ERROR.cancel): Buffer {
  return frame(TYPE.reset, 0, streamId, number32(code))
}

/** Pairs in order, so that one may stand twice. */
export function settingsFrame(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(pairs.length * 6)
  for (const [index, [id, value]] of pairs.entries()) {
    payload.writeUInt16BE(id, index * 6)
    payload.writeUInt32BE(value >>> 0, index * 6 + 2)
  }
  return frame(TYPE.settings, 0, 0, payload)
}

export function settingsAck(): Buffer {
  return frame(TYPE.settings, FLAG.ack, 0)
}

export function pushPromiseFrame(streamId: number, promisedId: number, block: Bytes): Buffer {
  const payload = Buffer.concat([number32(promisedId), bytes(block)])
  return frame(TYPE.pushPromise, FLAG.endHeaders, streamId, payload)
}

export function pingFrame(payload: Bytes = 'pingpong', ack = false): Buffer {
  return frame(TYPE.ping, ack ? FLAG.ack : 0, 0, payload)
}

export function goAwayFrame(lastId = 0, code: number = ERROR.none, debug: Bytes = ''): Buffer {
  return frame(TYPE.goAway, 0, 0, Buffer.concat([number32(lastId), number32(code), bytes(debug)]))
}

export function windowUpdateFrame(streamId: number, increment: number): Buffer {
  return frame(TYPE.windowUpdate, 0, streamId, number32(increment))
}

export interface FrameReader {
  push(bytes: Buffer): void
  /** The next whole frame, or null. */
  next(): Frame | null
}

export function createFrameReader(): FrameReader {
  let unread: Buffer = Buffer.alloc(0)
  return {
    push(more) {
      unread = unread.length === 0 ? more : Buffer.concat([unread, more])
    },
    next() {
      if (unread.length < 9) return null
      const end = 9 + unread.readUIntBE(0, 3)
      if (unread.length < end) return null
      const found = {
        type: unread.readUInt8(3),
        flags: unread.readUInt8(4),
        streamId: unread.readUInt32BE(5) & 0x7fff_ffff,
        payload: unread.subarray(9, end),
      }
      unread = unread.subarray(end)
      return found
    },
  }
}

/** What DATA or HEADERS carry, without padding and priority. */
export function contentOf({ type, flags, payload }: Frame): Buffer {
  let from = 0
  let to = payload.length
  if ((flags & FLAG.padded) !== 0) {
    to -= payload.readUInt8(0)
    from = 1
  }
  if (type === TYPE.headers && (flags & FLAG.priority) !== 0) from += 5
  return payload.subarray(from, to)
}

/** `HEADERS(5) END_STREAM END_HEADERS 12 bytes`, for messages. */
export function describeFrame({ type, flags, streamId, payload }: Frame): string {
  const name = Object.keys(TYPE)[type] ?? `type ${type}`
  return `${name}(${streamId}) flags ${flags.toString(2)}, ${payload.length} bytes`
}

export function number32(value: number): Buffer {
  const written = Buffer.alloc(4)
  written.writeUInt32BE(value >>> 0)
  return written
}

function padded(
  type: number,
  flags: number,
  streamId: number,
  payload: Buffer,
  padding: number | undefined,
): Buffer {
  if (padding === undefined) return frame(type, flags, streamId, payload)
  const whole = Buffer.concat([Buffer.of(padding), payload, Buffer.alloc(padding)])
  return frame(type, flags | FLAG.padded, streamId, whole)
}

function priorityBytes({ dependsOn, weight = 15, exclusive = false }: Priority): Buffer {
  return Buffer.concat([number32(dependsOn + (exclusive ? 0x8000_0000 : 0)), Buffer.of(weight)])
}

function bytes(given: Bytes): Buffer {
  return typeof given === 'string' ? Buffer.from(given, 'latin1') : given
}
