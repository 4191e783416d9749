/** The address of this host that others reach. */
import { createSocket } from 'node:dgram'

/** Reserved for documentation (RFC 5737): no host has it. */
const ELSEWHERE = '192.0.2.1'

/** Of the route to other networks; nothing is sent. Null: there is no such route. */
export function findHostAddress(): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4')
    const end = (address: string | null): void => {
      socket.close()
      resolve(address)
    }
    socket.once('error', () => end(null))
    socket.connect(9, ELSEWHERE, () => end(socket.address().address))
  })
}
