/** Why a listener cannot be opened: what, why, and what would help, in one line. */
import type { Listener } from '../model/snapshot.ts'

export function listenProblem({ id, address }: Listener, error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  const where = `${address.host}:${address.port}`
  if (code === 'EADDRINUSE') {
    return `cannot listen on ${where} (listener "${id}"): the port is in use; stop the other program or choose another port`
  }
  if (code === 'EACCES') {
    return `cannot listen on ${where} (listener "${id}"): not permitted; use a port above 1023 or grant CAP_NET_BIND_SERVICE`
  }
  return `cannot listen on ${where} (listener "${id}"): ${error instanceof Error ? error.message : String(error)}`
}
