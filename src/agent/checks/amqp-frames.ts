/** The frames of AMQP 0-9-1 (sections 4.2 and 1.x of its specification), as far as the check of a RabbitMQ needs them. */

export const PROTOCOL_HEADER: Buffer = Buffer.from('AMQP\x00\x00\x09\x01', 'latin1')

/** A class and a method of it. */
export type Method = readonly [classId: number, methodId: number]

type MethodName =
  | `connection${'Start' | 'StartOk' | 'Tune' | 'TuneOk' | 'Open' | 'OpenOk' | 'Close' | 'CloseOk'}`
  | `channel${'Open' | 'OpenOk' | 'Close'}`
  | `queue${'Declare' | 'DeclareOk'}`
  | `basic${'Publish' | 'Get' | 'GetOk' | 'GetEmpty'}`

export const METHOD: Readonly<Record<MethodName, Method>> = {
  connectionStart: [10, 10],
  connectionStartOk: [10, 11],
  connectionTune: [10, 30],
  connectionTuneOk: [10, 31],
  connectionOpen: [10, 40],
  connectionOpenOk: [10, 41],
  connectionClose: [10, 50],
  connectionCloseOk: [10, 51],
  channelOpen: [20, 10],
  channelOpenOk: [20, 11],
  channelClose: [20, 40],
  queueDeclare: [50, 10],
  queueDeclareOk: [50, 11],
  basicPublish: [60, 40],
  basicGet: [60, 70],
  basicGetOk: [60, 71],
  basicGetEmpty: [60, 72],
}

export interface MethodFrame {
  readonly classId: number
  readonly methodId: number
  readonly args: Buffer
}

export const FRAME_MAX: number = 128 * 1024
const FRAME_METHOD = 1
const FRAME_HEADER = 2
const FRAME_BODY = 3
const FRAME_END = 0xce
const HEAD_BYTES = 7

function frame(type: number, channel: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(HEAD_BYTES)
  head.writeUInt8(type, 0)
  head.writeUInt16BE(channel, 1)
  head.writeUInt32BE(payload.length, 3)
  return Buffer.concat([head, payload, Buffer.from([FRAME_END])])
}

export function methodFrame(
  channel: number,
  [classId, methodId]: Method,
  ...args: readonly Buffer[]
): Buffer {
  return frame(FRAME_METHOD, channel, Buffer.concat([uint16(classId), uint16(methodId), ...args]))
}

/** The content header and the body of a published message, which expires after this time. */
export function contentFrames(channel: number, body: Buffer, expiresMs: number): Buffer {
  const size = Buffer.alloc(8)
  size.writeBigUInt64BE(BigInt(body.length))
  const hasExpiration = uint16(1 << 8)
  const head = [uint16(60), uint16(0), size, hasExpiration, shortText(String(expiresMs))]
  return Buffer.concat([
    frame(FRAME_HEADER, channel, Buffer.concat(head)),
    frame(FRAME_BODY, channel, body),
  ])
}

export function uint8(value: number): Buffer {
  return Buffer.from([value])
}

export function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** Throws if the text is longer than 255 bytes. */
export function shortText(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8')
  if (bytes.length > 255) throw new Error('a name has more than 255 bytes, which AMQP cannot send')
  return Buffer.concat([uint8(bytes.length), bytes])
}

export function longText(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8')
  return Buffer.concat([uint32(bytes.length), bytes])
}

export const EMPTY_TABLE: Buffer = uint32(0)

/** A table of client properties: a refused login is answered, and not only the connection closed. */
export const CAPABILITIES: Buffer = table(
  member('capabilities', 'F', table(member('authentication_failure_close', 't', uint8(1)))),
)

function table(members: Buffer): Buffer {
  return Buffer.concat([uint32(members.length), members])
}

/** `type`: as section 4.2.1 names it. */
function member(name: string, type: 'F' | 't', value: Buffer): Buffer {
  return Buffer.concat([shortText(name), Buffer.from(type, 'latin1'), value])
}

/** The short text at an offset; '' if it is cut off. */
export function readShortText(bytes: Buffer, at: number): string {
  return bytes.toString('utf8', at + 1, at + 1 + (bytes[at] ?? 0))
}

/** Collects bytes, and returns the methods that are complete. Throws if the peer does not speak AMQP 0-9-1. */
export class FrameReader {
  #bytes: Buffer = Buffer.alloc(0)

  read(chunk: Buffer): readonly MethodFrame[] {
    this.#bytes = Buffer.concat([this.#bytes, chunk])
    const found: MethodFrame[] = []
    for (;;) {
      // A server of another version answers with the header of its own.
      if (this.#bytes.toString('latin1', 0, 4) === 'AMQP')
        throw new Error('it speaks another version of AMQP than 0-9-1')
      if (this.#bytes.length < HEAD_BYTES) return found
      const type = this.#bytes.readUInt8(0)
      const size = this.#bytes.readUInt32BE(3)
      if (size > FRAME_MAX || ![1, 2, 3, 8].includes(type))
        throw new Error('it does not speak AMQP 0-9-1')
      if (this.#bytes.length < HEAD_BYTES + size + 1) return found
      const payload = this.#bytes.subarray(HEAD_BYTES, HEAD_BYTES + size)
      if (this.#bytes[HEAD_BYTES + size] !== FRAME_END)
        throw new Error('it does not speak AMQP 0-9-1')
      this.#bytes = this.#bytes.subarray(HEAD_BYTES + size + 1)
      if (type === FRAME_METHOD && payload.length >= 4) {
        const [classId, methodId] = [payload.readUInt16BE(0), payload.readUInt16BE(2)]
        found.push({ classId, methodId, args: Buffer.from(payload.subarray(4)) })
      }
    }
  }
}
