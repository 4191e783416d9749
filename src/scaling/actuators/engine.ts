/** The Docker engine that an actuator uses: that of a source, or the one of this machine. */
import { DEFAULT_ENDPOINT, parseDockerEndpoint } from '../../providers/docker/endpoint.ts'
import { createEngineClient, type EngineClient } from '../../providers/docker/engine-client.ts'
import type { DockerSource } from '../../providers/docker/source.ts'
import type { SwarmSource } from '../../providers/swarm/source.ts'
import type { SourceSpec } from '../../model/settings.ts'
import { findSource } from './named-source.ts'

export interface Engine {
  /** For messages. */
  readonly where: string
  /**
   * Runs `act` with a client that has negotiated the version of the API. After a failure it is negotiated again, because the
   * engine may be another one by then.
   */
  use<T>(signal: AbortSignal, act: (client: EngineClient) => Promise<T>): Promise<T>
  close(): void
}

/** Throws if the source cannot be chosen. */
export function openEngine(
  kind: 'docker' | 'swarm',
  source: string | null,
  sources: readonly SourceSpec[],
): Engine {
  // The kind of a spec says which options it has.
  const found = findSource(kind, source, sources) as DockerSource | SwarmSource | null
  const client = createEngineClient(found?.endpoint ?? ownEngine(), found?.tls ?? null)
  let isConnected = false

  return {
    where: client.where,
    async use(signal, act) {
      try {
        if (!isConnected) await client.connect(signal)
        isConnected = true
        return await act(client)
      } catch (error) {
        isConnected = false
        throw error
      }
    },
    close: () => client.close(),
  }
}

function ownEngine(): DockerSource['endpoint'] {
  const parsed = parseDockerEndpoint(DEFAULT_ENDPOINT)
  if (!parsed.ok) throw new Error(parsed.reason)
  return parsed.value
}
