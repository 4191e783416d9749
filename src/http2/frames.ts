/** The frames of HTTP/2 (RFC 9113 section 6): their types, flags and error codes, and how their headers are written. */

export const FRAME: {
  readonly DATA: 0
  readonly HEADERS: 1
  readonly PRIORITY: 2
  readonly RST_STREAM: 3
  readonly SETTINGS: 4
  readonly PUSH_PROMISE: 5
  readonly PING: 6
  readonly GOAWAY: 7
  readonly WINDOW_UPDATE: 8
  readonly CONTINUATION: 9
} = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
}

export const FLAG: {
  readonly END_STREAM: 1
  readonly ACK: 1
  readonly END_HEADERS: 4
  readonly PADDED: 8
  readonly PRIORITY: 32
} = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 }

/** Section 7. */
export const ERROR: {
  readonly NO_ERROR: 0
  readonly PROTOCOL_ERROR: 1
  readonly INTERNAL_ERROR: 2
  readonly FLOW_CONTROL_ERROR: 3
  readonly SETTINGS_TIMEOUT: 4
  readonly STREAM_CLOSED: 5
  readonly FRAME_SIZE_ERROR: 6
  readonly REFUSED_STREAM: 7
  readonly CANCEL: 8
  readonly COMPRESSION_ERROR: 9
  readonly CONNECT_ERROR: 10
  readonly ENHANCE_YOUR_CALM: 11
  readonly INADEQUATE_SECURITY: 12
  readonly HTTP_1_1_REQUIRED: 13
} = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  SETTINGS_TIMEOUT: 4,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  CONNECT_ERROR: 10,
  ENHANCE_YOUR_CALM: 11,
  INADEQUATE_SECURITY: 12,
  HTTP_1_1_REQUIRED: 13,
}

const ERROR_NAMES = Object.keys(ERROR)

/** For logs; an unknown code as a number. */
export function errorName(code: number): string {
  return ERROR_NAMES[code] ?? `error ${code}`
}

export const PREFACE: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')
export const FRAME_HEADER_BYTES = 9
/** What each side takes before SETTINGS say more (section 4.2); this side never announces more. */
export const MAX_FRAME_BYTES: number = 16 * 1024
/** Section 6.9.1. */
export const MAX_WINDOW: number = 2 ** 31 - 1
/** Section 6.9.2. */
export const INITIAL_WINDOW: number = 65_535
export const MAX_STREAM_ID: number = 2 ** 31 - 1

/** Returns the position behind it. */
export function writeFrameHeader(
  out: Uint8Array,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): number {
  out[at] = length >>> 16
  out[at + 1] = length >>> 8
  out[at + 2] = length
  out[at + 3] = type
  out[at + 4] = flags
  return writeUint32(out, at + 5, streamId)
}

/** Returns the position behind it. */
export function writeUint32(out: Uint8Array, at: number, value: number): number {
  out[at] = value >>> 24
  out[at + 1] = value >>> 16
  out[at + 2] = value >>> 8
  out[at + 3] = value
  return at + 4
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] ?? 0) << 24) |
      ((bytes[at + 1] ?? 0) << 16) |
      ((bytes[at + 2] ?? 0) << 8) |
      (bytes[at + 3] ?? 0)) >>>
    0
  )
}

/** A number whose first bit is reserved: a stream's id or a window's increment. */
export function readUint31(bytes: Uint8Array, at: number): number {
  return readUint32(bytes, at) & MAX_STREAM_ID
}
