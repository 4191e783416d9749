/** A server that reads the PROXY header of each connection and passes all that follows on to another port of this machine. */
import { connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import type { ProxiedAddresses } from '../../src/http/proxy-protocol/header.ts'
import { readProxyHeader } from '../../src/http/proxy-protocol/read-header.ts'
import { listen } from './origin.ts'

export interface ProxyReader {
  readonly port: number
  /** Of each connection whose header has been read, in their order; a text says why a header was refused. */
  readonly headers: readonly (ReadAddresses | string)[]
  /** Connections that are open now. */
  open(): number
}

export interface ReadAddresses extends ProxiedAddresses {
  readonly version: 1 | 2
}

export async function startProxyReader(t: TestContext, to: number): Promise<ProxyReader> {
  const headers: (ReadAddresses | string)[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    let seen = Buffer.alloc(0)
    socket.on('data', function take(chunk: Buffer) {
      seen = Buffer.concat([seen, chunk])
      const header = readProxyHeader(seen)
      if (header === 'more') return
      socket.off('data', take)
      if ('refused' in header) {
        headers.push(header.refused)
        socket.destroy()
        return
      }
      const { length, source, destination } = header
      headers.push({ version: seen[0] === 80 ? 1 : 2, source, destination })
      passOn(socket, seen.subarray(length), to)
    })
  })
  const port = await listen(server)
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return { port, headers, open: () => sockets.size }
}

function passOn(socket: Socket, first: Buffer, port: number): void {
  const onward = connect({ port, host: '127.0.0.1' })
  onward.on('error', () => socket.destroy())
  onward.on('close', () => socket.destroy())
  socket.on('close', () => onward.destroy())
  onward.write(first)
  socket.pipe(onward)
  onward.pipe(socket)
}
