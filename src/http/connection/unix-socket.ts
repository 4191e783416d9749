/** Files of unix sockets that programs listen on. */
import { lstatSync } from 'node:fs'
import { connect } from 'node:net'

/** A server of a file that is left over from a killed process does not accept. */
const CONNECT_MS = 1_000

/** What is at a path: nothing, a socket that a program serves, one that none does, or a file that is no socket. */
export async function stateOfPath(
  path: string,
): Promise<'free' | 'served' | 'left over' | 'other'> {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return 'free'
  if (!found.isSocket()) return 'other'
  return (await accepts(path)) ? 'served' : 'left over'
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    const finish = (isServed: boolean): void => {
      socket.destroy()
      resolve(isServed)
    }
    socket.setTimeout(CONNECT_MS, () => finish(true))
    socket.once('connect', () => finish(true))
    // Only a refusal shows that there is no server: one that is too busy, or lets this user not connect, is there.
    socket.once('error', (error: NodeJS.ErrnoException) =>
      finish(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    )
  })
}
