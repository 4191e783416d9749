/**
 * A replica that is started and stopped by scaling: `node replica.process.ts PORT DELAY_MS START_MS`. It listens only some time
 * after its start, serves a limited number of requests at a time, and on SIGTERM ends those in flight before it exits.
 */
import { createServer } from 'node:http'

const BUSY_AT = 20
const RESPONSE = 'x'.repeat(256)
/** Requests that were on their way when it was told to end. */
const LINGER_MS = 300

const [port = 0, delayMs = 0, startMs = 0] = process.argv.slice(2).map(Number)
const waiting: (() => void)[] = []
let busy = 0

const server = createServer((request, response) => {
  request.resume()
  if (request.url === '/healthz') {
    response.end('ok')
    return
  }
  if (busy < BUSY_AT) serve()
  else waiting.push(serve)

  function serve(): void {
    busy++
    setTimeout(() => {
      busy--
      response.end(RESPONSE)
      waiting.shift()?.()
    }, delayMs)
  }
})

setTimeout(() => server.listen(port, '127.0.0.1', 1024), startMs)
process.once('SIGTERM', () => {
  setTimeout(() => {
    server.close(() => process.exit(0))
    server.closeIdleConnections()
  }, LINGER_MS)
})
