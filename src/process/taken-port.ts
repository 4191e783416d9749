/**
 * Threads share their ports by `reusePort`, and so would another Sluice: both would serve, each a part of the connections.
 * Before the first table goes out, a port that somebody else holds is found by taking it alone for a moment.
 */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { listenProblem } from '../gateway/live-listeners.ts'
import type { Listener } from '../model/snapshot.ts'

/** The one line that says so, or null. */
export async function problemOfPort(listener: Listener): Promise<string | null> {
  const { host, port } = listener.address
  if (port === 0) return null
  const server = createServer()
  try {
    server.listen({ host, port })
    await once(server, 'listening')
  } catch (error) {
    return listenProblem(listener, error)
  }
  server.close()
  await once(server, 'close')
  return null
}
