/** What a probe of src/health needs to know of a server that no Sluice has declared. */
import type { ProbeTarget } from '../../health/probe.ts'
import { bracketHost } from '../../model/address.ts'
import type { Scheme } from '../../model/server-url.ts'
import type { HealthCheck, Protocol, TlsToServers } from '../../model/snapshot.ts'

export interface ProbeSpec extends Pick<HealthCheck, 'http' | 'grpc'> {
  readonly scheme: Scheme
  readonly host: string
  readonly port: number
  readonly tls: TlsToServers
  readonly wire: Protocol
}

export function probeTarget({ scheme, host, port, http, grpc, tls, wire }: ProbeSpec): ProbeTarget {
  return {
    server: {
      id: 'service',
      url: `${scheme}://${bracketHost(host)}:${port}`,
      ...{ scheme, host, port },
      ...{ weight: 1, backup: false, drain: false, labels: null },
    },
    // When it is run and what its results mean is of the agent: checks/check-loop.ts.
    check: {
      ...{ http, grpc, port: null },
      ...{ intervalMs: 0, downIntervalMs: 0, timeoutMs: 0, jitter: 0 },
      ...{ rise: 1, fall: 1, waitHealthy: true },
    },
    tls,
    proxyProtocol: null,
    wire,
  }
}
