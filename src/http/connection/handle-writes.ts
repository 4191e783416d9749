/**
 * Whether texts and buffers can be written to the handle below a plain socket. A handle of Node 26 takes null for its request, and
 * returns one if the system has not taken everything. One of Node 24 ends the process if it gets none, and tells only Node's own
 * code whether a write is done; there, everything is written to the socket.
 */
import { Socket } from 'node:net'

export const HANDLES_TAKE_NO_REQUEST: boolean = takesNoRequest((handle) => {
  return new Socket({ handle, manualStart: true } as object)
})

/** Asks a socket on a handle that records what it gets. */
export function takesNoRequest(socketOn: (handle: object) => Socket): boolean {
  let given: unknown = undefined
  const handle = {
    readStart: () => 0,
    readStop: () => 0,
    close() {},
    writeLatin1String(request: unknown) {
      given = request
      return 0
    },
  }
  const socket = socketOn(handle)
  socket.on('error', () => {})
  socket.write('x', 'latin1')
  socket.destroy()
  return given === null
}
