/** The endpoints that show the state of the program, and the actions on its sources. */
import { type CertificatesView, writeCertificates } from './certificates.ts'
import { confirm, reload, type Providers } from './providers.ts'
import { parseServersFilter, type ServersView, toList } from './servers.ts'
import { answerOf } from './vulcand-answer.ts'
import { parseTableFilter, type TableView, tableText } from './table.ts'
import { OBJECT_KINDS, type ObjectKind } from '../model/names.ts'
import { NO_SCALE, type ScaleReport } from '../observe/reports/scale-report.ts'
import type { Metrics } from '../observe/metrics/metrics.ts'
import { type Caller, type Endpoint, json, jsonOf, reading, Refused } from './endpoint.ts'
import { map, oneOf, text } from './openapi/schema.ts'
import {
  BREAKERS,
  CERTIFICATES,
  MESSAGE,
  READINESS,
  SERVERS,
  SOURCES,
  TABLE,
} from './openapi/shapes.ts'
import { SCALE } from './openapi/scale-shapes.ts'

export interface StateOptions extends Providers {
  /** `kind`: objects of others need not be there. */
  readonly table: (kind?: ObjectKind) => TableView
  readonly servers: ServersView
  readonly certificates: CertificatesView
  /** Absent: no backend is scaled. */
  readonly scale?: () => ScaleReport
  readonly metrics: Pick<Metrics, 'contentType' | 'render'>
  /** True if the first table is in force in every serving thread and no drain has begun. */
  readonly ready: () => Readiness
}

export interface Readiness {
  readonly ready: boolean
  readonly reason: string
  /** Listeners that cannot listen, because a port is in use for example. One listening listener is enough to be ready. */
  readonly notListening: readonly object[]
}

const PLAIN = 'text/plain; charset=utf-8'
const BACKEND_QUERY = { backend: 'only those of this backend' }

export function stateEndpoints(options: StateOptions): readonly Endpoint[] {
  const { metrics, table, servers, certificates, ready, providers } = options
  const { scale = () => NO_SCALE } = options
  const listOf = (reports: () => Parameters<typeof toList>[0]): Endpoint['run'] => {
    return ({ query }) => {
      const filter = parseServersFilter(query)
      return { status: 200, content: { kind: 'pieces', pieces: toList(reports(), filter) } }
    }
  }
  return [
    reading(
      '/healthz',
      '200 while the process runs',
      () => ({ status: 200, content: { kind: 'text', type: PLAIN, text: 'ok\n' } }),
      { needs: 'none', gives: { type: 'text/plain', schema: text } },
    ),
    reading(
      '/readyz',
      '200 if the table is in force in every serving thread, else 503 and the reason',
      ({ caller }) => {
        const readiness = ready()
        const status = readiness.ready ? 200 : 503
        return json(status, isReader(caller) ? readiness : { ready: readiness.ready })
      },
      {
        needs: 'none',
        answers: { 200: 'it is ready', 503: 'it is not, and why' },
        gives: jsonOf(READINESS, { alsoAt: [503] }),
      },
    ),
    reading(
      '/metrics',
      'for Prometheus',
      async () => ({
        status: 200,
        content: { kind: 'text', type: metrics.contentType, text: await metrics.render() },
      }),
      { needs: 'metrics', gives: { type: 'text/plain', schema: text } },
    ),
    reading(
      '/api/table',
      'the routing table and rejected objects with their reasons; ?kind=frontend&id=...',
      ({ query }) => {
        const filter = parseTableFilter(query)
        const kind = OBJECT_KINDS.find((one) => one === filter.kind)
        return { status: 200, content: { kind: 'pieces', pieces: tableText(table(kind), filter) } }
      },
      {
        query: { kind: 'only objects of this kind', id: 'only objects with this id' },
        gives: jsonOf(TABLE),
      },
    ),
    reading(
      '/api/servers',
      'the state of each server: health, ejection, share of requests; ?backend=...',
      listOf(servers.servers),
      { query: BACKEND_QUERY, gives: jsonOf(SERVERS) },
    ),
    reading('/api/breakers', 'the state of each breaker; ?backend=...', listOf(servers.breakers), {
      query: BACKEND_QUERY,
      gives: jsonOf(BREAKERS),
    }),
    reading(
      '/api/certificates',
      'certificates, when they end, and those that are ordered',
      () => ({ status: 200, content: { kind: 'pieces', pieces: writeCertificates(certificates) } }),
      { gives: jsonOf(CERTIFICATES) },
    ),
    reading(
      '/api/scale',
      'backends that are scaled: their replicas, what decides, and the last decisions',
      () => json(200, scale()),
      { gives: jsonOf(SCALE) },
    ),
    ...['/v1/status', '/v2/status'].map((path) =>
      reading(path, 'as vulcand', () => answerOf(200, { Status: 'ok' }), {
        needs: 'none',
        gives: jsonOf(map({ Status: oneOf('ok') })),
      }),
    ),
    reading('/api/providers', 'the state of each source', () => json(200, providers()), {
      gives: jsonOf(SOURCES),
    }),
    action('confirm', 'confirm a held shrink', { 409: 'nothing is held' }, (name) =>
      confirm(options, name),
    ),
    action('reload', 'read the source again', {}, (name) => reload(options, name)),
  ]
}

/** An action needs a Content-Type that no form of a web page can send, and no body. */
function action(
  verb: string,
  summary: string,
  answers: Endpoint['answers'],
  act: (name: string) => { readonly status: number; readonly message: string },
): Endpoint {
  return {
    method: 'POST',
    path: `/api/providers/{name}/${verb}`,
    needs: 'drain',
    summary,
    query: {},
    body: { types: ['application/json'], description: 'not needed', maxBytes: 1024 },
    answers: { 200: 'it is done', 404: 'there is no such source', ...answers },
    gives: jsonOf(MESSAGE),
    run({ parameters, audit }) {
      const { status, message } = act(parameters['name'] ?? '')
      if (status !== 200) throw new Refused(status, message)
      audit({}, message)
      return json(200, { message })
    },
  }
}

function isReader({ role }: Caller): boolean {
  return role !== 'none' && role !== 'metrics'
}
