/** The address of this host that others reach. */
import { createSocket, type SocketType } from 'node:dgram'

/** Reserved for documentation (RFC 5737, RFC 3849): no host has them. */
const ELSEWHERE = { udp4: '192.0.2.1', udp6: '2001:db8::1' } as const

/** Of the route to other networks, by IPv4 if there is one; nothing is sent. Null: there is no such route. */
export async function findHostAddress(): Promise<string | null> {
  return (await addressOf('udp4')) ?? (await addressOf('udp6'))
}

function addressOf(type: SocketType): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = createSocket(type)
    const end = (address: string | null): void => {
      socket.close()
      resolve(address)
    }
    socket.once('error', () => end(null))
    socket.connect(9, ELSEWHERE[type], () => end(socket.address().address))
  })
}
