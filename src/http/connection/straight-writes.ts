/**
 * Writes small texts past the stream of their socket, which has nothing to do as long as nothing waits to be written. Measured on
 * a busy machine, medians of nine interleaved windows (bench scenario `small`): 34.6 us per request by the stream, 30.3 past it.
 *
 * Over TLS the stream is needed, because a TLS socket takes one write at a time; but bytes are copied less often than a text there
 * (45.1 and 42.3 us, scenario `tls`).
 */
import type { Socket } from 'node:net'
import { getSystemErrorName } from 'node:util'
import { HANDLES_TAKE_NO_REQUEST } from './handle-writes.ts'

export interface StraightWriter {
  readonly socket: Socket
  /** What the system has not taken of the last text; 0: all is written. */
  straightBytes: number
}

interface Request {
  writer?: StraightWriter
  /** It was done before `oncomplete` was there. */
  readonly writeStatus?: number | null
  oncomplete?: ((this: Request, status: number) => void) | null
}

interface Handle {
  /** A number: it is done, or the error. */
  writeLatin1String(request: null, text: string): number | Request
}

const SCRATCH = Buffer.allocUnsafeSlow(16 * 1024)

/** The text is latin1. The socket must be writable. */
export function writeSmall(writer: StraightWriter, text: string): void {
  const { socket } = writer
  if (writer.straightBytes > 0 || socket.writableLength > 0 || socket.connecting) {
    socket.write(text, 'latin1')
    return
  }
  if ('encrypted' in socket) {
    if (text.length > SCRATCH.length) socket.write(text, 'latin1')
    // It encrypts into memory of its own before `write` returns.
    else socket.write(SCRATCH.subarray(0, SCRATCH.write(text, 'latin1')))
    return
  }
  const handle = HANDLES_TAKE_NO_REQUEST ? handleOf(socket) : null
  if (handle === null) socket.write(text, 'latin1')
  else writeTo(handle, writer, text)
}

function writeTo(handle: Handle, writer: StraightWriter, text: string): void {
  const request = handle.writeLatin1String(null, text)
  if (request === 0) return
  if (typeof request === 'number') return fail(writer.socket, request)
  const status = request.writeStatus ?? null
  if (status !== null) {
    if (status < 0) fail(writer.socket, status)
    return
  }
  writer.straightBytes = text.length
  request.writer = writer
  request.oncomplete = onWritten
}

function onWritten(this: Request, status: number): void {
  const { writer } = this
  if (writer === undefined) return
  writer.straightBytes = 0
  if (status < 0) fail(writer.socket, status)
}

/** As the socket reports an error of its own write. */
function fail(socket: Socket, status: number): void {
  const code = getSystemErrorName(status)
  socket.destroy(
    Object.assign(new Error(`write ${code}`), { errno: status, code, syscall: 'write' }),
  )
}

function handleOf(socket: Socket): Handle | null {
  const handle: unknown = '_handle' in socket ? socket._handle : null
  return typeof handle === 'object' && handle !== null && 'writeLatin1String' in handle
    ? (handle as Handle)
    : null
}
