/**
 * An origin server of the demonstration: `node demo/origin.ts NAME PORT`. Every response names its server.
 *   /         a line, or a small page for a browser
 *   /slow     the same, after three seconds: requests in flight for tests of changes
 *   /clock    server-sent events, one a second, until the client disconnects
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { setTimeout as passed } from 'node:timers/promises'

const SLOW_MS = 3000
const TICK_MS = 1000
const COLORS = ['#1f6feb', '#bf3989', '#1a7f37']

const [name = '', port = ''] = process.argv.slice(2)
if (name === '' || !/^\d{1,5}$/.test(port)) {
  console.error('usage: node demo/origin.ts NAME PORT')
  process.exit(1)
}

const clocks = new Set<ServerResponse>()
let responses = 0

const server = createServer((request, response) => {
  const path = (request.url ?? '/').split('?')[0]
  if (path === '/clock') {
    showClock(response)
  } else if (path === '/slow') {
    void passed(SLOW_MS).then(() => greet(request, response))
  } else {
    greet(request, response)
  }
})

server.on('error', (error: NodeJS.ErrnoException) => {
  const why = error.code === 'EADDRINUSE' ? 'the port is in use, stop what holds it' : error.message
  console.error(`origin ${name} cannot listen on 127.0.0.1:${port}: ${why}`)
  process.exit(1)
})
server.listen(Number(port), '127.0.0.1', () => process.send?.('listening'))

process.once('SIGINT', stop)
process.once('SIGTERM', stop)

function greet(request: IncomingMessage, response: ServerResponse): void {
  responses += 1
  const line = `${name} answers ${request.method} ${request.url} (its request ${responses}, pid ${process.pid})`
  const wantsPage = request.headers.accept?.includes('text/html') === true
  response.setHeader('content-type', wantsPage ? 'text/html; charset=utf-8' : 'text/plain')
  response.setHeader('x-origin', name)
  response.end(wantsPage ? page(line) : `${line}\n`)
}

function page(line: string): string {
  const color = COLORS[Number(port) % COLORS.length]
  const text = line.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return (
    `<!doctype html><title>${name}</title>` +
    `<body style="margin:0;height:100vh;display:grid;place-content:center;background:${color};color:#fff;` +
    `font:1.2rem system-ui;text-align:center"><h1>${name}</h1><p>${text}</p>`
  )
}

function showClock(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  const tick = (): void => void response.write(`data: ${name} ${new Date().toISOString()}\n\n`)
  tick()
  const ticking = setInterval(tick, TICK_MS)
  clocks.add(response)
  response.on('close', () => {
    clearInterval(ticking)
    clocks.delete(response)
  })
}

/** Requests in flight finish; the streams of /clock are ended. */
function stop(): void {
  server.close(() => process.exit(0))
  for (const clock of clocks) clock.end()
}
