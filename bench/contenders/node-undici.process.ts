/** The leanest proxy that `node:http` and undici allow: no promises, no streams but the body of a request. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Pool } from 'undici'
import type { Dispatcher } from 'undici'
import { listen, readSite } from './node-contender.ts'

const HOP_BY_HOP = new Set(
  'connection keep-alive proxy-connection te trailer transfer-encoding upgrade'.split(' '),
)

const site = readSite()
const pools = site.origins.map((port) => new Pool(`http://127.0.0.1:${port}`, { pipelining: 1 }))
let turn = 0

listen(site, (request, response) => {
  turn = (turn + 1) % pools.length
  const hasBody =
    request.headers['content-length'] !== undefined ||
    request.headers['transfer-encoding'] !== undefined
  pools[turn]?.dispatch(
    {
      path: request.url ?? '/',
      method: request.method ?? 'GET',
      headers: forwarded(request),
      body: hasBody ? request : null,
    },
    passTo(response),
  )
})

function forwarded(request: IncomingMessage): string[] {
  const raw = request.rawHeaders
  const fields: string[] = []
  let clients = request.socket.remoteAddress ?? ''
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] ?? ''
    const value = raw[i + 1] ?? ''
    const key = name.toLowerCase()
    if (key === 'x-forwarded-for') clients = `${value}, ${clients}`
    else if (key !== 'expect' && !HOP_BY_HOP.has(key)) fields.push(name, value)
  }
  fields.push('X-Forwarded-For', clients)
  return fields
}

function passTo(response: ServerResponse): Dispatcher.DispatchHandler {
  return {
    onRequestStart(controller) {
      response.on('close', () => {
        if (!response.writableFinished) controller.abort(new Error('the client has left'))
      })
    },
    onResponseStart(_controller, status, headers) {
      const fields: string[] = []
      for (const [name, value] of Object.entries(headers)) {
        if (value === undefined || HOP_BY_HOP.has(name)) continue
        for (const one of Array.isArray(value) ? value : [value]) fields.push(name, one)
      }
      response.writeHead(status, fields)
    },
    onResponseData(controller, chunk) {
      if (response.write(chunk)) return
      controller.pause()
      response.once('drain', () => controller.resume())
    },
    onResponseEnd() {
      response.end()
    },
    onResponseError() {
      if (response.headersSent) response.destroy()
      else response.writeHead(502).end()
    },
  }
}
