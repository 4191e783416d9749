/** Checks by a connection, a request of HTTP or a call of gRPC: the probes of health checks (src/health). */
import type { Probe, ProbeTarget } from '../../health/probe.ts'
import type { Check } from './check.ts'

export function createProbeCheck(probe: Probe, target: ProbeTarget): Check {
  return async (signal) => {
    const result = await probe(target, signal)
    return result.ok ? null : result.reason
  }
}
