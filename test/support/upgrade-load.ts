/** Clients beside an upgrade: tunnels that stay open, and HTTP/2 sessions of which each is followed by another one. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { TestContext } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { startHttp2Load, type Http2Load } from './http2/load.ts'
import { listen } from './origin.ts'

export interface Tunnel {
  /** Resolves when a message has come back. */
  echoes(): Promise<void>
  /** Resolves when it is closed. */
  closed(): Promise<void>
  isOpen(): boolean
}

/** A server whose WebSockets send everything back; returns its URL. */
export async function startEcho(t: TestContext): Promise<string> {
  const server = createServer()
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket) => {
    socket.on('message', (data) => socket.send(data))
    socket.on('error', () => {})
  })
  const port = await listen(server)
  t.after(() => {
    for (const client of sockets.clients) client.terminate()
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${port}`
}

export async function openTunnel(t: TestContext, port: number): Promise<Tunnel> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/echo`)
  t.after(() => socket.terminate())
  socket.on('error', () => {})
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  await once(socket, 'open')
  let sent = 0
  return {
    async echoes() {
      const text = `message ${++sent}`
      const answered = once(socket, 'message')
      socket.send(text)
      const gone = closed.then((): never => {
        throw new Error(`the tunnel is closed, and ${text} has no answer`)
      })
      const [data] = (await Promise.race([answered, gone])) as [Buffer]
      if (data.toString() !== text) throw new Error(`${text} came back as ${data.toString()}`)
    },
    closed: () => closed,
    isOpen: () => socket.readyState === WebSocket.OPEN,
  }
}

export interface FollowedLoad {
  stop(): Promise<{
    readonly answered: number
    readonly statuses: readonly string[]
    readonly failures: readonly string[]
    readonly goodbyes: number
  }>
}

/** HTTP/2 without TLS; a session that gets a GOAWAY is followed by another one. */
export function startFollowedHttp2Load(t: TestContext, port: number): FollowedLoad {
  const loads: Http2Load[] = []
  let isStopped = false

  async function drive(): Promise<void> {
    while (!isStopped) {
      const load = startHttp2Load(t, { port, sessions: 1, streams: 4, pauseMs: 10 })
      loads.push(load)
      await load.goodbye()
    }
  }
  // A test that fails does not stop it.
  t.after(() => (isStopped = true))
  for (const driver of [drive(), drive()]) driver.catch(() => {})

  return {
    async stop() {
      isStopped = true
      const reports = await Promise.all(loads.map((load) => load.stop()))
      return {
        answered: reports.reduce((sum, { answered }) => sum + answered, 0),
        statuses: [...new Set(reports.flatMap(({ statuses }) => Object.keys(statuses)))],
        failures: reports.flatMap(({ failures }) => failures),
        goodbyes: reports.reduce((sum, { goodbyes }) => sum + goodbyes, 0),
      }
    },
  }
}
