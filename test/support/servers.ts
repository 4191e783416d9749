/** Ordinary servers of `node:http` that say who they are: for stories in which only the share of each matters. */
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

export interface NamedServer {
  readonly name: string
  readonly port: number
  readonly url: string
  /** Requests that it was sent. */
  requests(): number
  close(): Promise<void>
}

/** Answers with its name after `afterMs`. A port of 0 takes a free one. */
export function startNamed(
  t: TestContext,
  name: string,
  afterMs = 0,
  port = 0,
): Promise<NamedServer> {
  return startServing(t, name, port, (_request, response) => {
    response.setHeader('X-Server', name)
    if (afterMs === 0) response.end(name)
    else setTimeout(() => response.end(name), afterMs)
  })
}

export async function startServing(
  t: TestContext,
  name: string,
  port: number,
  respond: RequestListener,
): Promise<NamedServer> {
  let requests = 0
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    requests++
    request.resume()
    respond(request, response)
  })
  await listen(server, port)
  const close = async (): Promise<void> => {
    server.closeAllConnections()
    if (server.listening) await new Promise((resolve) => server.close(resolve))
  }
  t.after(close)
  const bound = (server.address() as AddressInfo).port
  return { name, port: bound, url: `http://127.0.0.1:${bound}`, requests: () => requests, close }
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
}
