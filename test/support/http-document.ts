/** A document on an HTTP server of a test, with an ETag, which can be held back until it changes. */
import { hash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { resolverSchema } from '../../src/schema/resolver.ts'
import { parseSources } from '../../src/schema/sources.ts'
import type { HttpDocumentSource } from '../../src/providers/http/source.ts'

export interface DocumentServer {
  readonly url: string
  /** Heads of the requests so far. */
  readonly requests: readonly IncomingMessage[]
  /** `type`: Content-Type. Responds to requests that wait for it. */
  set(body: string, type?: string): void
  /** Responds in this way instead, until the next `set`. */
  respond(how: (request: IncomingMessage, response: ServerResponse) => void): void
  /** Starts it again on the same port, if it was stopped. */
  start(): Promise<void>
  stop(): Promise<void>
}

export async function startDocument(
  owner: { after(act: () => Promise<void>): void },
  path = '/config',
): Promise<DocumentServer> {
  const requests: IncomingMessage[] = []
  const waiting = new Set<() => void>()
  let server: Server | null = null
  let sockets = new Set<Socket>()
  let port = 0
  let document = { body: '{}', type: 'application/json' }
  let other: ((request: IncomingMessage, response: ServerResponse) => void) | null = null

  function handle(request: IncomingMessage, response: ServerResponse): void {
    requests.push(request)
    if (other !== null) other(request, response)
    else if (request.url === path) serve(request, response)
    else response.writeHead(404).end('nothing here')
  }

  function serve(request: IncomingMessage, response: ServerResponse): void {
    const etag = `"${hash('sha1', document.body, 'hex')}"`
    const isKnown = request.headers['if-none-match'] === etag
    const [, wait] = /^wait=(\d+)$/.exec(String(request.headers['prefer'] ?? '')) ?? []
    if (!isKnown) {
      response.writeHead(200, { etag, 'content-type': document.type }).end(document.body)
    } else if (wait === undefined) response.writeHead(304, { etag }).end()
    else {
      const timer = setTimeout(
        () => settle(() => response.writeHead(304, { etag }).end()),
        Number(wait) * 1000,
      )
      const settle = (act: () => void): void => {
        clearTimeout(timer)
        waiting.delete(again)
        act()
      }
      const again = (): void => settle(() => serve(request, response))
      waiting.add(again)
      response.on('close', () => settle(() => {}))
    }
  }

  async function start(): Promise<void> {
    if (server !== null) return
    const started = createServer(handle)
    server = started
    sockets = new Set()
    started.on('connection', (socket) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
    })
    await new Promise<void>((resolve) => started.listen(port, '127.0.0.1', resolve))
    port = (started.address() as AddressInfo).port
  }

  async function stop(): Promise<void> {
    const stopped = server
    server = null
    if (stopped === null) return
    const closed = new Promise((resolve) => stopped.close(resolve))
    for (const socket of sockets) socket.destroy()
    await closed
  }

  await start()
  owner.after(stop)
  return {
    url: `http://127.0.0.1:${port}${path}`,
    requests,
    set(body, type = 'application/json') {
      document = { body, type }
      other = null
      for (const serveAgain of [...waiting]) serveAgain()
    },
    respond(how) {
      other = how
    },
    start,
    stop,
  }
}

/** As its options are read. */
export function httpSource(url: string, options: object = {}): HttpDocumentSource {
  const { sources, flaws } = parseSources(
    { web: { kind: 'http', url, interval: '100ms', ...options } },
    {
      filename: '/etc/sluice/sluice.yaml',
      data: '/d',
      resolver: resolverSchema.parse(undefined),
    },
  )
  if (flaws.length > 0) throw new Error(flaws.map(({ message }) => message).join('; '))
  return sources[0] as HttpDocumentSource
}
