/** Messages of gRPC, each behind a byte of flags and a length of four bytes. */

export const FRAME_HEAD_BYTES = 5
/** The flag of the frame in which gRPC-Web has its trailers. */
export const TRAILERS_FLAG = 0x80

export function frameMessage(message: Uint8Array, flags = 0): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + message.length)
  frame[0] = flags
  frame.writeUInt32BE(message.length, 1)
  frame.set(message, FRAME_HEAD_BYTES)
  return frame
}

/** The first message in these bytes; null: it is not complete, 'bad': it is compressed or longer than `maxBytes`. */
export function firstMessage(bytes: Buffer, maxBytes: number): Buffer | null | 'bad' {
  if (bytes.length < FRAME_HEAD_BYTES) return null
  const length = bytes.readUInt32BE(1)
  if (bytes[0] !== 0 || length > maxBytes) return 'bad'
  const end = FRAME_HEAD_BYTES + length
  return bytes.length < end ? null : bytes.subarray(FRAME_HEAD_BYTES, end)
}
