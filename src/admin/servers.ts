/** GET /api/servers and /api/breakers: their states as JSON, one object per line. */
import type { BreakerReport, ServerReport } from '../observe/reports/health-report.ts'
import { toJson } from './json.ts'

export interface ServersView {
  readonly servers: () => Iterable<ServerReport>
  readonly breakers: () => Iterable<BreakerReport>
}

export interface ServersFilter {
  readonly backend: string | null
}

export function parseServersFilter(query: URLSearchParams): ServersFilter {
  return { backend: query.get('backend') }
}

/** A JSON list of those that the filter matches. */
export function* toList(
  reports: Iterable<ServerReport | BreakerReport>,
  { backend }: ServersFilter,
): Generator<string> {
  yield '['
  let separator = '\n'
  for (const report of reports) {
    if (backend !== null && report.backend !== backend) continue
    yield separator + toJson(report)
    separator = ',\n'
  }
  yield ']\n'
}
