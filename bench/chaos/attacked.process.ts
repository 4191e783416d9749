/**
 * The server behind the requests of attacks, apart from the servers of the good clients: `node attacked.process.ts PORT`. It responds after
 * a while, reads bodies to their end, and has a large response. For each line on its standard input it prints what it has seen.
 */
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { LARGE_PATH } from '../../test/support/http2/slow-attacks.ts'
import type { AttackedCounts } from './attack.ts'

const DELAY_MS = 10
const LARGE_BYTES = 16 * 1024 * 1024
const PIECE = Buffer.alloc(64 * 1024, 'x')

const [port = 0] = process.argv.slice(2).map(Number)
let connections = 0
let requests = 0
let responses = 0

const server = createServer((request, response) => {
  requests++
  request.resume()
  response.on('finish', () => responses++)
  if (request.url === LARGE_PATH) {
    response.setHeader('content-length', LARGE_BYTES)
    let left = LARGE_BYTES
    const send = (): void => {
      while (left > 0) {
        left -= PIECE.length
        if (!response.write(PIECE)) return void response.once('drain', send)
      }
      response.end()
    }
    send()
  } else request.on('end', () => setTimeout(() => response.end('x'.repeat(1024)), DELAY_MS))
})
server.on('connection', () => connections++)
server.listen(port, '127.0.0.1', 1024, () => console.log('listens'))

const lines = createInterface({ input: process.stdin })
lines.on('line', () => {
  const counts: AttackedCounts = { connections, requests, responses }
  console.log(JSON.stringify(counts))
})
lines.on('close', () => process.exit())
