/** A proxy of our own before a registry's HTTP API, which answers some paths in its place: with an error, with nonsense, or never. */
import { once } from 'node:events'
import { createServer, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Owner } from './daemon.ts'

export interface Fault {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Written piece by piece, as fast as it is read. */
  readonly body?: Iterable<string>
  /** It never answers. */
  readonly isSilent?: boolean
}

export interface HttpFaultProxy {
  /** `127.0.0.1:port`. */
  readonly address: string
  /** Requests so far, by path without query. */
  readonly seen: readonly string[]
  /** From now on; null: the request is passed on. Requests in progress that it would fail are cut. */
  fail(faultOf: FaultOf): void
}

/** The query without its `?`; empty if there is none. */
type FaultOf = (path: string, query: string) => Fault | null

export async function startHttpFaultProxy(owner: Owner, target: number): Promise<HttpFaultProxy> {
  let faultOf: FaultOf = () => null
  const seen: string[] = []
  const open = new Map<ServerResponse, readonly [path: string, query: string]>()
  const server = createServer((asked, response) => {
    const { method, url = '/', headers } = asked
    const [encoded = '', query = ''] = url.split('?')
    const path = decodeURI(encoded)
    seen.push(path)
    open.set(response, [path, query])
    response.on('close', () => open.delete(response))
    response.on('error', () => {})
    const fault = faultOf(path, query)
    if (fault !== null) return void answer(response, fault)
    const passed = request(
      { host: '127.0.0.1', port: target, method, path: url, headers, agent: false },
      (answered) => {
        response.writeHead(answered.statusCode ?? 502, answered.headers)
        answered.pipe(response)
      },
    )
    passed.on('error', () => response.destroy())
    response.on('close', () => passed.destroy())
    asked.pipe(passed)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  owner.after(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    fail(rule) {
      faultOf = rule
      for (const [response, asked] of open) if (rule(...asked) !== null) response.destroy()
    },
  }
}

async function answer(response: ServerResponse, fault: Fault): Promise<void> {
  const { status = 200, headers = {}, body = [], isSilent = false } = fault
  if (isSilent) return
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  for (const piece of body) {
    if (response.destroyed) return
    if (response.write(piece)) continue
    const waiting = new AbortController()
    const [drained, closed] = ['drain', 'close'].map((event) => once(response, event, waiting))
    await Promise.race([drained, closed])
    waiting.abort()
  }
  response.end()
}
