/** The leanest proxy that `node:http2` allows: its core API, no promises, no streams but bodies. */
import { readFileSync } from 'node:fs'
import {
  connect,
  createSecureServer,
  createServer,
  type ClientHttp2Session,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2'
import { Pool } from 'undici'
import { listen, readSite } from './node-contender.ts'

const site = readSite()
const pools = site.origins.map((port) => new Pool(`http://127.0.0.1:${port}`, { pipelining: 1 }))
const sessions: (ClientHttp2Session | undefined)[] = []
let turn = 0

// What the bench looks at before it begins, and proves: HTTP/1 in clear.
listen({ ...site, certificate: null }, (request, response) => {
  const origin = nextOrigin()
  const { host = '', 'content-length': length, 'transfer-encoding': coding } = request.headers
  const fields = { host, 'x-forwarded-for': request.socket.remoteAddress ?? '' }
  const body = length === undefined && coding === undefined ? null : request
  if (site.http2Origins) {
    toHttp2(origin, { ':path': request.url ?? '/', ':authority': host }).on('response', () => {
      response.end()
    })
    return
  }
  pools[origin]?.stream(
    {
      path: request.url ?? '/',
      method: (request.method ?? 'GET') as 'GET',
      headers: { ...fields, ...(length === undefined ? {} : { 'content-length': length }) },
      body,
    },
    ({ statusCode, headers }) => {
      response.writeHead(statusCode, headers)
      return response
    },
    () => {},
  )
})

const handle = (stream: ServerHttp2Stream, fields: IncomingHttpHeaders): void => {
  stream.on('error', () => {})
  const origin = nextOrigin()
  const forwarded: OutgoingHttpHeaders = {}
  for (const name in fields) if (!name.startsWith(':')) forwarded[name] = fields[name]
  forwarded['x-forwarded-for'] = stream.session?.socket.remoteAddress ?? ''
  if (site.http2Origins) relay(stream, fields, forwarded, origin)
  else dispatch(stream, fields, forwarded, origin)
}

if (site.certificate !== null) {
  const cert = readFileSync(site.certificate.cert)
  const key = readFileSync(site.certificate.key)
  const secure = createSecureServer({ cert, key, allowHTTP1: false })
  secure.on('stream', handle)
  secure.listen(site.tlsPort, '127.0.0.1', 4096)
}
if (site.http2) {
  const clear = createServer()
  clear.on('stream', handle)
  clear.listen(site.adminPort, '127.0.0.1', 4096)
}

function dispatch(
  stream: ServerHttp2Stream,
  fields: IncomingHttpHeaders,
  forwarded: OutgoingHttpHeaders,
  origin: number,
): void {
  forwarded['host'] = fields[':authority']
  pools[origin]?.dispatch(
    {
      path: fields[':path'] ?? '/',
      method: (fields[':method'] ?? 'GET') as 'GET',
      headers: forwarded as Record<string, string>,
      body: null,
    },
    {
      onRequestStart() {},
      onResponseStart(_controller, status, headers) {
        if (stream.destroyed) return
        delete headers['connection']
        delete headers['keep-alive']
        delete headers['transfer-encoding']
        stream.respond({ ...headers, ':status': status })
      },
      onResponseData(controller, chunk) {
        if (stream.destroyed || stream.write(chunk)) return
        controller.pause()
        stream.once('drain', () => controller.resume())
      },
      onResponseEnd() {
        stream.end()
      },
      onResponseError() {
        stream.destroy()
      },
    },
  )
}

function relay(
  stream: ServerHttp2Stream,
  fields: IncomingHttpHeaders,
  forwarded: OutgoingHttpHeaders,
  origin: number,
): void {
  for (const name of [':method', ':path', ':authority'] as const) forwarded[name] = fields[name]
  const upstream = toHttp2(origin, forwarded)
  upstream.on('error', () => stream.destroy())
  upstream.on('response', (headers) => {
    if (stream.destroyed) return upstream.close()
    stream.respond({ ...headers })
    upstream.pipe(stream)
  })
}

function toHttp2(
  origin: number,
  fields: OutgoingHttpHeaders,
): ReturnType<ClientHttp2Session['request']> {
  return (sessions[origin] ??= open(origin)).request(fields)
}

function open(origin: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${site.origins[origin]}`)
  // With its default of 64 KiB for all streams together, large responses wait for each other.
  session.on('connect', () => session.setLocalWindowSize(1 << 24))
  session.on('error', () => {})
  session.on('close', () => (sessions[origin] = undefined))
  return session
}

function nextOrigin(): number {
  turn = (turn + 1) % site.origins.length
  return turn
}
