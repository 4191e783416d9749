/** The frames that refuse an HTTP/2 connection before anything of it is read. */
import { ERROR, FRAME, FRAME_HEADER_BYTES, writeFrameHeader, writeUint32 } from '../http2/frames.ts'

/** SETTINGS, with which every connection begins, and GOAWAY: no request was processed. */
export function refusalFrames(why: string): Buffer {
  const length = 8 + why.length
  const frames = Buffer.alloc(2 * FRAME_HEADER_BYTES + length)
  let at = writeFrameHeader(frames, 0, 0, FRAME.SETTINGS, 0, 0)
  at = writeFrameHeader(frames, at, length, FRAME.GOAWAY, 0, 0)
  at = writeUint32(frames, at, 0)
  at = writeUint32(frames, at, ERROR.ENHANCE_YOUR_CALM)
  frames.write(why, at, 'latin1')
  return frames
}
