/** The endpoints of a source, agents or servers, used in turn: after a lost one the next is tried. */
import { startHeartbeat } from '../heartbeat.ts'
import { createHttpClient, type HttpClient } from '../http-client/http-client.ts'
import { createTurns } from '../registry/turns.ts'
import type { ConsulAccess } from './options.ts'
import { READ_TIMEOUT_MS } from './query.ts'

/** With the time limit of the read, less than the 5 s that `Provider.watch` allows. */
const HEARTBEAT_MS = 1_000
/** Blocking queries hold a connection each. Consul accepts 200 from one address by default. */
const MAX_CONNECTIONS = 96
/** Needs no permission. */
const PROBE_PATH = '/v1/status/leader'
const MAX_PROBE_BYTES = 4_096

export interface OpenedAgent<T> {
  readonly client: HttpClient
  readonly result: T
}

export interface Agents {
  /** Opens the first endpoint for which `begin` succeeds. If one refuses the request, the others are not tried. */
  open<T>(begin: (client: HttpClient) => Promise<T>, signal?: AbortSignal): Promise<OpenedAgent<T>>
}

export function createAgents(
  { endpoints, tls, token }: ConsulAccess,
  random: () => number = Math.random,
): Agents {
  const turns = createTurns(endpoints, random)

  function openClient(endpoint: string): HttpClient {
    const origin = `${tls === null ? 'http' : 'https'}://${endpoint}`
    const headers: Record<string, string> = token === null ? {} : { 'x-consul-token': token }
    return createHttpClient({ what: 'Consul', origin, tls, headers, connections: MAX_CONNECTIONS })
  }

  return {
    open: (begin, signal) =>
      turns.first(async (endpoint) => {
        const client = openClient(endpoint)
        try {
          return { client, result: await begin(client) }
        } catch (error) {
          client.close()
          throw error
        }
      }, signal),
  }
}

/** Whether the agent responds. */
export function probeAgent(client: HttpClient, signal: AbortSignal): Promise<unknown> {
  const options = { signal, timeoutMs: READ_TIMEOUT_MS, maxBytes: MAX_PROBE_BYTES }
  return client.text(PROBE_PATH, options)
}

/** A blocking query is silent for its whole wait. Asks on another connection whether the agent responds; returns how to stop. */
export function watchAgent(client: HttpClient, onLost: (error: unknown) => void): () => void {
  const options = { timeoutMs: READ_TIMEOUT_MS - HEARTBEAT_MS, maxBytes: MAX_PROBE_BYTES }
  return startHeartbeat(() => client.text(PROBE_PATH, options), HEARTBEAT_MS, onLost)
}
