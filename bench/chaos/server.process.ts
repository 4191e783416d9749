/**
 * A server that misbehaves on demand: `node server.process.ts PORT DELAY_MS`. Lines of JSON on its standard input switch its
 * behaviour, and each is confirmed by a line. Arrivals are reported every few milliseconds, so that a kill loses few. It responds to
 * health probes while it accepts connections, however it misbehaves.
 */
import { createServer } from 'node:net'
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { createReader } from '../../test/support/message.ts'
import { clockMs } from './clock.ts'
import { readRequest } from './exchange.ts'
import type { Behaviour, ServerMessage } from './server.ts'

const REPORT_MS = 20
const HUGE_HEAD = `HTTP/1.1 200 OK\r\nX-Huge: ${'h'.repeat(200_000)}\r\nContent-Length: 0\r\n\r\n`

const [port = 0, delayMs = 0] = process.argv.slice(2).map(Number)
const sockets = new Set<Socket>()
let behaviour: Behaviour = { kind: 'ok' }
let turn = 0
let arrivals: (readonly [atMs: number, number: number])[] = []

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => {})
  if (behaviour.kind === 'close-on-accept') {
    socket.destroy()
    return
  }
  sockets.add(socket)
  socket.on('close', () => sockets.delete(socket))
  const reader = createReader('request')
  socket.on('data', (bytes: Buffer) => {
    reader.push(bytes)
    for (let request = reader.next(); request !== null; request = reader.next()) {
      if (request.line.includes(' /healthz ')) {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
        continue
      }
      const { number, body } = readRequest(request)
      if (number >= 0) arrivals.push([clockMs(), number])
      response(socket, body)
    }
  })
})

function response(socket: Socket, body: string): void {
  const { kind } = behaviour
  turn++
  switch (kind) {
    case 'reset':
      socket.resetAndDestroy()
      return
    case 'truncate':
      truncate(socket, body)
      return
    case 'garbage':
      socket.write(garbage(body))
      return
    case 'fail': {
      // Spread by the golden ratio: neither in rows nor in step with anything.
      const fails = (turn * 0.618_033_988_749_895) % 1 < behaviour.share
      later(delayMs, () => socket.write(fails ? whole(500, 'failed') : whole(200, body)))
      return
    }
    case 'slow':
      later(delayMs * behaviour.times, () => socket.write(whole(200, body)))
      return
    case 'ok':
    case 'refuse':
    case 'close-on-accept':
      later(delayMs, () => socket.write(whole(200, body)))
      return
    default:
      kind satisfies never
  }
}

/** Half a body with a length, ended in order or by a reset, and chunks without the last one. */
function truncate(socket: Socket, body: string): void {
  const half = body.slice(0, body.length / 2)
  if (turn % 3 === 0) {
    const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
    socket.end(`${head}${half.length.toString(16)}\r\n${half}\r\n`)
    return
  }
  const head = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`
  if (turn % 3 === 1) socket.end(head + half)
  // The reset follows when what was written has left: it would take the bytes with it.
  else socket.write(head + half, () => later(2, () => socket.resetAndDestroy()))
}

/** No HTTP, a head that contradicts itself, one without end, and a right response with one more that was not requested. */
function garbage(body: string): string {
  switch (turn % 4) {
    case 0:
      return '\x16\x03\x01\x02\x00 this is no response\r\n\r\n'
    case 1:
      return 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello'
    case 2:
      return HUGE_HEAD
    default:
      return whole(200, body) + whole(200, 'a response that was not requested')
  }
}

function whole(status: number, body: string): string {
  return `HTTP/1.1 ${status} Status\r\nContent-Length: ${body.length}\r\n\r\n${body}`
}

function later(ms: number, act: () => void): void {
  setTimeout(act, ms)
}

function follow(next: Behaviour): void {
  const wasRefusing = behaviour.kind === 'refuse'
  behaviour = next
  const reportDone = (): void => print({ switched: next.kind })
  if (next.kind === 'refuse' || next.kind === 'close-on-accept') {
    for (const socket of sockets) socket.destroy()
  }
  if (next.kind === 'refuse') server.close(reportDone)
  else if (wasRefusing) listen(reportDone)
  else reportDone()
}

function listen(done: () => void): void {
  server.listen(port, '127.0.0.1', 1024, done)
}

function report(): void {
  if (arrivals.length === 0) return
  print({ arrivals })
  arrivals = []
}

function print(message: ServerMessage): void {
  process.stdout.write(JSON.stringify(message) + '\n')
}

listen(() => print({ switched: 'ok' }))
setInterval(report, REPORT_MS)
const lines = createInterface({ input: process.stdin })
lines.on('line', (line) => follow(JSON.parse(line) as Behaviour))
lines.on('close', () => process.exit())
