/** Why something is not in force in a thread: what, why, and what would help, in one line each. */
import { quote } from '../model/parsed.ts'
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

/** A throw met it: what of it was in force stays. */
export function applyProblem(name: string, error: unknown): string {
  const why =
    error instanceof Error ? `${error.name}: ${quote(error.message)}` : quote(String(error))
  return `${name} cannot be applied, what was in force stays: a fault of the proxy met it, see the log (${why})`
}
