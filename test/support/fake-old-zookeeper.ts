/**
 * A fake of a ZooKeeper before 3.6: a real one behind a proxy that refuses addWatch as those do (UnimplementedRequestProcessor:
 * error -6, and then the end of the connection).
 */
import { connect, createServer, type Socket } from 'node:net'
import type { Owner } from './daemon.ts'
import { choosePort } from './ports.ts'

const ADD_WATCH = 106
const UNIMPLEMENTED = -6

export interface FakeOldZookeeper {
  readonly endpoint: string
  /** How often addWatch was refused. */
  refused(): number
}

/** `isMute`: it closes the connection without an error. */
export async function startFakeOldZookeeper(
  owner: Owner,
  target: number,
  isMute = false,
): Promise<FakeOldZookeeper> {
  const port = await choosePort()
  const sockets = new Set<Socket>()
  let refused = 0

  const listener = createServer({ noDelay: true }, (client) => {
    const server = connect({ port: target, host: '127.0.0.1', noDelay: true })
    let buffer = Buffer.alloc(0)
    let isFirst = true
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
    server.on('data', (bytes: Buffer) => client.write(bytes))
    client.on('data', (bytes: Buffer) => {
      buffer = Buffer.concat([buffer, bytes])
      while (buffer.length >= 4 && buffer.length >= 4 + buffer.readInt32BE(0)) {
        const frame = buffer.subarray(0, 4 + buffer.readInt32BE(0))
        buffer = buffer.subarray(frame.length)
        // The first is the ConnectRequest, which has no type.
        if (!isFirst && frame.readInt32BE(8) === ADD_WATCH) return refuse(frame.readInt32BE(4))
        isFirst = false
        server.write(frame)
      }
    })

    function refuse(xid: number): void {
      refused += 1
      const reply = Buffer.alloc(20)
      reply.writeInt32BE(16, 0)
      reply.writeInt32BE(xid, 4)
      reply.writeInt32BE(UNIMPLEMENTED, 16)
      if (isMute) client.end()
      else client.end(reply)
    }
  })
  await new Promise<void>((resolve) => listener.listen(port, '127.0.0.1', resolve))
  owner.after(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => listener.close(resolve))
  })
  return { endpoint: `127.0.0.1:${port}`, refused: () => refused }
}
