/**
 * Threads share their ports by `reusePort`, and another Sluice could share them, too: each would serve a part of the
 * connections. Before the first table is published, binding a port exclusively for a moment shows whether it is in use.
 */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { isSocketAddress } from '../model/listener.ts'
import { listenProblem } from '../gateway/live-listeners.ts'
import type { Listener } from '../model/snapshot.ts'

/** Problems of ports in use, by listener. Throws if every one of the `declared` listeners has one. */
export async function findTakenPorts(
  listeners: readonly Listener[],
  declared: number,
): Promise<ReadonlyMap<string, string>> {
  const problems = new Map<string, string>()
  await Promise.all(
    listeners.map(async (listener) => {
      const problem = await problemOfPort(listener)
      if (problem !== null) problems.set(listener.id, problem)
    }),
  )
  if (problems.size > 0 && problems.size === declared)
    throw new Error([...problems.values()].join('; '))
  return problems
}

/** Returns the line for the log if the port is in use, else null. A unix socket is never shared. */
export async function problemOfPort(listener: Listener): Promise<string | null> {
  if (isSocketAddress(listener.address)) return null
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
