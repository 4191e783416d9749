/** SETTINGS (RFC 9113 section 6.5): what a peer has announced, and how this side announces its own. */
import {
  ERROR,
  FRAME,
  INITIAL_WINDOW,
  MAX_FRAME_BYTES,
  MAX_WINDOW,
  readUint32,
  writeFrameHeader,
  writeUint32,
} from './frames.ts'
import { TABLE_BYTES } from './hpack/static-table.ts'

export const SETTING: {
  readonly HEADER_TABLE_SIZE: 1
  readonly ENABLE_PUSH: 2
  readonly MAX_CONCURRENT_STREAMS: 3
  readonly INITIAL_WINDOW_SIZE: 4
  readonly MAX_FRAME_SIZE: 5
  readonly MAX_HEADER_LIST_SIZE: 6
  readonly ENABLE_CONNECT_PROTOCOL: 8
} = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
  ENABLE_CONNECT_PROTOCOL: 8,
}

export const SETTING_BYTES = 6
const LARGEST_FRAME = 2 ** 24 - 1
/** Section 6.5.2 recommends no less; more could be refused before SETTINGS have come. */
const STREAMS_BEFORE_SETTINGS = 100

export class PeerSettings {
  headerTableSize: number = TABLE_BYTES
  maxConcurrentStreams: number = STREAMS_BEFORE_SETTINGS
  initialWindowSize: number = INITIAL_WINDOW
  /** Of a head, see head-size.ts. Advice, before which larger heads may be under way. */
  maxHeaderListSize: number = Infinity
  enableConnectProtocol = false

  /** Takes the content of a frame. Returns an error code, 0 if it is in order. */
  read(bytes: Uint8Array, from: number, to: number, isFirst: boolean, isServers: boolean): number {
    // A server that names no limit has none.
    if (isFirst) this.maxConcurrentStreams = Infinity
    for (let at = from; at < to; at += SETTING_BYTES) {
      const id = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
      const error = this.#take(id, readUint32(bytes, at + 2), isServers)
      if (error !== ERROR.NO_ERROR) return error
    }
    return ERROR.NO_ERROR
  }

  #take(id: number, value: number, isServers: boolean): number {
    switch (id) {
      case SETTING.HEADER_TABLE_SIZE:
        this.headerTableSize = value
        break
      case SETTING.ENABLE_PUSH:
        if (value > (isServers ? 0 : 1)) return ERROR.PROTOCOL_ERROR
        break
      case SETTING.MAX_CONCURRENT_STREAMS:
        this.maxConcurrentStreams = value
        break
      case SETTING.INITIAL_WINDOW_SIZE:
        if (value > MAX_WINDOW) return ERROR.FLOW_CONTROL_ERROR
        this.initialWindowSize = value
        break
      case SETTING.MAX_FRAME_SIZE:
        // No larger frames are sent.
        if (value < MAX_FRAME_BYTES || value > LARGEST_FRAME) return ERROR.PROTOCOL_ERROR
        break
      case SETTING.MAX_HEADER_LIST_SIZE:
        this.maxHeaderListSize = value
        break
      case SETTING.ENABLE_CONNECT_PROTOCOL:
        if (value > 1 || (value === 0 && this.enableConnectProtocol)) return ERROR.PROTOCOL_ERROR
        this.enableConnectProtocol = value === 1
        break
    }
    return ERROR.NO_ERROR
  }
}

/** Returns the position behind the frame. */
export function writeSettings(
  out: Uint8Array,
  at: number,
  values: readonly (readonly [id: number, value: number])[],
): number {
  at = writeFrameHeader(out, at, values.length * SETTING_BYTES, FRAME.SETTINGS, 0, 0)
  for (const [id, value] of values) {
    out[at] = id >>> 8
    out[at + 1] = id
    at = writeUint32(out, at + 2, value)
  }
  return at
}
