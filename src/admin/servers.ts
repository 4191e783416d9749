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

/** The filter of a query, or why it is invalid: a misspelt one would return everything. */
export function parseServersFilter(query: string): ServersFilter | string {
  const parameters = new URLSearchParams(query)
  for (const name of parameters.keys()) {
    if (name !== 'backend') return 'servers and breakers can be filtered by backend only'
  }
  return { backend: parameters.get('backend') }
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
