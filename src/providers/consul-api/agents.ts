/** The endpoints of a source, agents or servers, used in turn: after a lost one the next is tried. */
import { createHttpClient, type HttpClient } from '../http-client/http-client.ts'
import { startHeartbeat } from '../heartbeat.ts'
import { SourceRefused } from '../provider.ts'
import type { ConsulAccess } from './options.ts'
import { READ_TIMEOUT_MS } from './query.ts'

/** With the time limit of the read, less than the 5 s that `Provider.watch` allows. */
const HEARTBEAT_MS = 1_000

/** Blocking queries hold a connection each. Consul accepts 200 from one address by default. */
export const MAX_CONNECTIONS = 96

export interface OpenedAgent<T> {
  readonly client: HttpClient
  readonly result: T
}

export interface Agents {
  /**
   * Opens the first endpoint for which `begin` succeeds, starting after the last one used. If one refuses us, the others are
   * not tried, because they would refuse as well.
   */
  open<T>(begin: (client: HttpClient) => Promise<T>, signal?: AbortSignal): Promise<OpenedAgent<T>>
}

export function createAgents(
  { endpoints, tls, token }: ConsulAccess,
  random: () => number = Math.random,
): Agents {
  let at = Math.floor(random() * endpoints.length)

  function openNext(): HttpClient {
    const endpoint = endpoints[at++ % endpoints.length] ?? ''
    const origin = `${tls === null ? 'http' : 'https'}://${endpoint}`
    const headers: Record<string, string> = token === null ? {} : { 'x-consul-token': token }
    return createHttpClient({ what: 'Consul', origin, tls, headers, connections: MAX_CONNECTIONS })
  }

  return {
    async open(begin, signal) {
      const failures: Error[] = []
      for (const _ of endpoints) {
        const client = openNext()
        try {
          return { client, result: await begin(client) }
        } catch (error) {
          client.close()
          if (error instanceof SourceRefused || signal?.aborted === true) throw error
          failures.push(error instanceof Error ? error : new Error(String(error)))
        }
      }
      const [first] = failures
      if (failures.length === 1 && first !== undefined) throw first
      throw new AggregateError(failures, failures.map(({ message }) => message).join('; '))
    },
  }
}

/** A blocking query is silent for its whole wait. Asks on another connection whether the agent responds; returns how to stop. */
export function watchAgent(client: HttpClient, onLost: (error: unknown) => void): () => void {
  const ask = (): Promise<unknown> =>
    client.text('/v1/status/leader', { timeoutMs: READ_TIMEOUT_MS - HEARTBEAT_MS, maxBytes: 4_096 })
  return startHeartbeat(ask, HEARTBEAT_MS, onLost)
}
