/**
 * Origins for machines without nginx: the responses are made once, and a request costs one search and one write. Takes GET
 * requests without pipelining, which is all that load generators send.
 */
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:net'
import { RESPONSE_BYTES } from './request.ts'

const responses = new Map(
  Object.entries(RESPONSE_BYTES).map(([name, bytes]) => [`/${name}`, response(bytes)]),
)

for (const port of process.argv.slice(2)) {
  createServer({ noDelay: true }, (socket) => {
    let head = ''
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      head += chunk.toString('latin1')
      if (!head.endsWith('\r\n\r\n')) return
      const found = responses.get(head.split(' ', 2)[1] ?? '')
      socket.write(found ?? 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')
      head = ''
    })
  }).listen(Number(port), '127.0.0.1', 4096)
}

function response(bytes: number): Buffer {
  const head = `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ${bytes}\r\n\r\n`
  return Buffer.from(head + randomBytes(bytes / 2).toString('hex'))
}
