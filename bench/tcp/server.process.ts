/**
 * A TCP server: `node server.process.ts PORT ...`. The first byte of a connection says what it does: E sends back all that
 * comes; N sends its port and a line feed; D<bytes>LF sends so many bytes and ends; U<bytes>LF takes so many, sends one and
 * ends. Begins are short and come in one piece.
 */
import { createServer } from 'node:net'
import type { Socket } from 'node:net'

const BLOCK = Buffer.alloc(256 * 1024, 'd')

for (const port of process.argv.slice(2).map(Number)) {
  createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    socket.on('end', () => socket.end())
    socket.once('data', (first: Buffer) => begin(socket, first, port))
  }).listen(port, '127.0.0.1', 4096)
}

function begin(socket: Socket, first: Buffer, port: number): void {
  const kind = first.toString('latin1', 0, 1)
  if (kind === 'N') {
    socket.write(`${port}\n`)
    socket.resume()
    return
  }
  if (kind === 'E') {
    socket.on('data', (bytes) => socket.write(bytes))
    socket.write(first)
    return
  }
  const line = first.indexOf('\n')
  const bytes = Number(first.toString('latin1', 1, line))
  if (kind === 'D') send(socket, bytes)
  else take(socket, bytes - (first.length - line - 1))
}

function send(socket: Socket, bytes: number): void {
  let left = bytes
  const more = (): void => {
    while (left > 0) {
      const part = left >= BLOCK.length ? BLOCK : BLOCK.subarray(0, left)
      left -= part.length
      if (!socket.write(part)) return
    }
    socket.end()
  }
  socket.on('drain', more)
  socket.resume()
  more()
}

function take(socket: Socket, bytes: number): void {
  let left = bytes
  socket.on('data', (part) => {
    left -= part.length
    if (left === 0) socket.end('U')
  })
}
