/** What Node's own parser makes of the bytes that reach it: the oracle, and the origin behind the gateway. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { listen } from '../support/origin.ts'

/** Trailers for which llhttp refuses the whole message. */
export const FRAMING_TRAILER: RegExp =
  /\r\n0+(;[^\r\n]*)?\r\n([^\r\n]+\r\n)*?(content-length|transfer-encoding|upgrade|connection):/i

export const TAB_BEHIND_CODING: RegExp = /transfer-encoding:[ \t]*chunked[ \t]*\t[ \t]*\r\n/i

export interface Seen {
  readonly method: string
  readonly target: string
  body: string
  isComplete: boolean
}

export interface NodeView {
  readonly port: number
  /** In the order of their heads. */
  readonly seen: Seen[]
  /** Codes of what it could not parse. */
  readonly faults: string[]
  forget(): void
}

export async function startNodeView(t: TestContext): Promise<NodeView> {
  const seen: Seen[] = []
  const faults: string[] = []
  const record = (request: IncomingMessage, response: ServerResponse): void => {
    const entry: Seen = {
      method: request.method ?? '',
      target: request.url ?? '',
      body: '',
      isComplete: false,
    }
    seen.push(entry)
    request.on('data', (bytes: Buffer) => {
      entry.body += bytes.toString('latin1')
    })
    request.on('end', () => {
      entry.isComplete = true
      // Said outright: without it Node ends the connection of an HTTP/1.0 client that asked to keep it.
      response.setHeader('Content-Length', 2)
      response.end('ok')
    })
    request.on('error', () => {})
  }
  const server: Server = createServer({
    maxHeaderSize: 65_536,
    insecureHTTPParser: false,
    // The gateway's own rule; here the oracle is to see as much as it can.
    requireHostHeader: false,
    keepAliveTimeout: 0,
    headersTimeout: 0,
    requestTimeout: 0,
  })
  server.maxHeadersCount = 0
  server.on('request', record)
  server.on('checkExpectation', record)
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    response.writeContinue()
    record(request, response)
  })
  server.on('connect', (request: IncomingMessage, socket: Socket) => {
    seen.push({ method: 'CONNECT', target: request.url ?? '', body: '', isComplete: true })
    socket.destroy()
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    faults.push(error.code ?? error.message)
    socket.destroy()
  })
  const port = await listen(server)
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    port,
    seen,
    faults,
    forget() {
      seen.length = 0
      faults.length = 0
    },
  }
}
