/** Checks by a connection, a request of HTTP or a call of gRPC: the probes of health checks (src/health). */
import type { Probe, ProbeTarget } from '../../health/probe.ts'
import type { Check } from './check.ts'

export function createProbeCheck(probe: Probe, target: ProbeTarget): Check {
  return async (signal) => {
    const result = await probe(target, signal)
    if (result.ok) return null
    const { reason, shortage } = result
    if (shortage !== undefined) throw Object.assign(new Error(reason), { code: shortage })
    return reason
  }
}
