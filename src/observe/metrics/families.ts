/** The metrics by name: meaning, unit, and how each is read at a scrape. */
import type { NameCounts } from '../../dns/resolver.ts'
import { GRPC_STATUS_NAMES } from '../../http/grpc/status.ts'
import { REASON_NAMES } from '../../http/message/errors.ts'
import { COUNT } from '../../scoreboard/layout.ts'
import type { AcmeReport } from '../reports/acme-report.ts'
import type { CertificateReport, ListenerReport } from '../reports/listener-report.ts'
import { ACME_FAMILIES } from './acme-families.ts'
import { HEALTH_FAMILIES } from './health-families.ts'
import { HELD_FAMILIES } from './held-families.ts'
import type { HealthScrape } from './health-series.ts'
import { toCodes, toHistogram, toSample, toSummary, type Sample, type ValueOf } from './samples.ts'
import { OTHER, type Series } from './series.ts'
import { SCALE_FAMILIES } from './scale-families.ts'
import { SOURCE_FAMILIES } from './source-families.ts'
import { STREAM_FAMILIES } from './stream-families.ts'
import type { ScaleReport } from '../reports/scale-report.ts'
import { TEMPLATE_FAMILIES } from './template-families.ts'
import type { PrintedFamily } from './text-format.ts'
import type { SourceReport } from '../reports/source-report.ts'
import type { TemplateReport } from '../reports/template-report.ts'

/** The state of the control plane at a scrape. */
export interface MetricsStatus {
  /** Number of the table in force. */
  readonly revision: number
  /** Objects that are set aside. */
  readonly setAside: number
  /** When the table last changed, ms since the epoch; null before the first one. */
  readonly lastChangeAt: number | null
  readonly sources: readonly SourceReport[]
  /** Serving threads by state. */
  readonly workers: Readonly<Record<string, number>>
  readonly workerRestarts: number
  /** Caught faults of Sluice itself, by stage. */
  readonly faults: Readonly<Record<string, number>>
  /** How often a resource of the machine was exhausted, by the code of the error. */
  readonly shortages: Readonly<Record<string, number>>
  /** Log lines that could not be written. */
  readonly droppedLogLines: number
  readonly names: NameCounts
  /** Event loop delay by thread, where it is measured. */
  readonly eventLoopDelays: readonly {
    readonly thread: string
    readonly p99Ms: number
    readonly maxMs: number
  }[]
  readonly listeners: readonly ListenerReport[]
  readonly certificates: readonly CertificateReport[]
  readonly acme: AcmeReport
  readonly scale: ScaleReport
  readonly templates: readonly TemplateReport[]
}

/** Everything that one scrape reports, read at one time. */
export interface Scrape {
  readonly frontends: Series
  /** Frontends that take streams. */
  readonly streams: Series
  readonly servers: Series
  readonly backends: Series
  /** Backends that scale from zero. */
  readonly held: Series
  readonly health: HealthScrape
  readonly listeners: Series
  readonly objects: Readonly<Record<'frontend' | 'backend' | 'server' | 'listener', number>>
  readonly status: MetricsStatus
  /** ms since the scoreboard began. */
  readonly now: number
  /** Responses of the proxy itself, by the number of the reason. */
  readonly localResponses: (reason: number) => number
  /** gRPC calls that ended, by their status. */
  readonly grpcCalls: (status: number) => number
}

export interface Family extends PrintedFamily {
  readonly samples: (scrape: Scrape) => readonly Sample[]
}

const CODE_HELP =
  'by class of the status (code="2xx"; code="none": ended without a response), from the scoreboard'

export const FAMILIES: readonly Family[] = [
  family('sluice_requests_total', 'counter', `Requests of clients that ended, ${CODE_HELP}`, (of) =>
    of.frontends.rows.flatMap(toCodes),
  ),
  family(
    'sluice_request_duration_seconds',
    'histogram',
    'Seconds from the head of a request read to the end of its response, from the scoreboard',
    (of) => of.frontends.rows.flatMap((row) => toHistogram('sluice_request_duration_seconds', row)),
  ),
  ofFrontends(
    'sluice_request_body_bytes_total',
    'counter',
    'Bytes of request bodies received from clients, from the scoreboard',
    (row) => row.counts[COUNT.bytesIn],
  ),
  ofFrontends(
    'sluice_response_body_bytes_total',
    'counter',
    'Bytes of response bodies sent to clients, from the scoreboard',
    (row) => row.counts[COUNT.bytesOut],
  ),
  ofFrontends(
    'sluice_in_flight_requests',
    'gauge',
    'Requests of clients under way, from the scoreboard',
    (row) => row.inFlight,
  ),
  ofFrontends(
    'sluice_retries_total',
    'counter',
    'Requests of clients that were sent to a server again, from the scoreboard',
    (row) => row.counts[COUNT.retries],
  ),
  ...STREAM_FAMILIES,
  family(
    'sluice_server_requests_total',
    'counter',
    `Requests sent to a server that ended, ${CODE_HELP}`,
    (of) => of.servers.rows.flatMap(toCodes),
  ),
  family(
    'sluice_server_request_duration_seconds',
    'summary',
    'Seconds of requests sent to a server, sum and count, from the scoreboard',
    (of) =>
      of.servers.rows.flatMap((row) => toSummary('sluice_server_request_duration_seconds', row)),
  ),
  ofServers(
    'sluice_server_in_flight_requests',
    'gauge',
    'Requests under way to a server, from the scoreboard',
    (row) => row.inFlight,
  ),
  ofServers(
    'sluice_server_connections',
    'gauge',
    'Connections open to a server, from the scoreboard',
    (row) => row.connections,
  ),
  ofServers(
    'sluice_server_connections_opened_total',
    'counter',
    'Connections opened to a server, from the scoreboard',
    (row) => row.counts[COUNT.opened],
  ),
  ofServers(
    'sluice_server_connect_failures_total',
    'counter',
    'Connections to a server that could not be opened, from the scoreboard',
    (row) => row.counts[COUNT.connectFailures],
  ),
  ofServers(
    'sluice_server_retries_total',
    'counter',
    'Attempts at a server after which the request was sent again, from the scoreboard',
    (row) => row.counts[COUNT.retries],
  ),
  ...HEALTH_FAMILIES,
  ...HELD_FAMILIES,
  family(
    'sluice_listener_up',
    'gauge',
    '1 when a listener listens at its declared address in every serving thread, else 0 (see /api/table), from the control plane',
    (of) => {
      const up = new Set(of.status.listeners.flatMap(({ id, listening }) => (listening ? id : [])))
      return of.listeners.rows.flatMap(({ labels }) =>
        labels['listener'] === OTHER
          ? []
          : [{ value: up.has(labels['listener'] ?? '') ? 1 : 0, sharedLabels: labels }],
      )
    },
  ),
  family(
    'sluice_certificate_not_after_seconds',
    'gauge',
    'When a certificate of a listener ends, with the chain it is sent with, in seconds since the epoch, from the control plane',
    (of) => certificateSamples(of.status.certificates),
  ),
  ofListeners(
    'sluice_connections',
    'gauge',
    'Connections of clients open at a listener, from the scoreboard',
    (row) => row.connections,
  ),
  ofListeners(
    'sluice_connections_accepted_total',
    'counter',
    'Connections of clients accepted by a listener, from the scoreboard',
    (row) => row.counts[COUNT.opened],
  ),
  family(
    'sluice_listener_requests_total',
    'counter',
    'Requests that a listener received, by protocol, from the scoreboard',
    (of) =>
      of.listeners.rows.flatMap((row) => [
        {
          ...toSample(row, ({ counts }) => counts[COUNT.requests]),
          labels: { protocol: 'HTTP/1' },
        },
        {
          ...toSample(row, ({ counts }) => counts[COUNT.http2Requests]),
          labels: { protocol: 'HTTP/2' },
        },
      ]),
  ),
  ofListeners(
    'sluice_http2_connections',
    'gauge',
    'HTTP/2 connections of clients open at a listener, from the scoreboard',
    (row) => row.inFlight,
  ),
  ofListeners(
    'sluice_http2_connections_cut_total',
    'counter',
    'HTTP/2 connections of clients that were cut off for misuse of the protocol, from the scoreboard',
    (row) => row.counts[COUNT.http2Misused],
  ),
  ofListeners(
    'sluice_tls_handshake_failures_total',
    'counter',
    'TLS handshakes with clients that failed, from the scoreboard',
    (row) => row.counts[COUNT.tlsFailures],
  ),
  family(
    'sluice_answers_total',
    'counter',
    'Responses that the proxy made itself and exchanges that it ended, by reason as in the access log, from the scoreboard',
    (of) =>
      REASON_NAMES.map((reason, number) => ({
        value: of.localResponses(number),
        labels: { reason },
      })),
  ),
  family(
    'sluice_grpc_calls_total',
    'counter',
    'gRPC calls of clients that ended, by grpc-status (grpc_status="UNAVAILABLE"), from the scoreboard',
    (of) =>
      GRPC_STATUS_NAMES.map((name, status) => ({
        value: of.grpcCalls(status),
        labels: { grpc_status: name },
      })),
  ),
  family(
    'sluice_frontend_grpc_calls_total',
    'counter',
    'gRPC calls of clients that ended, by frontend and grpc-status, from the first call with such a status on, from the scoreboard',
    (of) =>
      of.frontends.rows.flatMap((row) =>
        GRPC_STATUS_NAMES.flatMap((name, status) => {
          const cell = COUNT.grpcStatus + status
          if (row.counts[cell] === 0) return []
          return { ...toSample(row, ({ counts }) => counts[cell]), labels: { grpc_status: name } }
        }),
      ),
  ),
  family(
    'sluice_series_dropped',
    'gauge',
    'Objects without series of their own, summed as "_other", from the last scrape',
    (of) => [
      { value: of.frontends.summed + of.streams.summed, labels: { kind: 'frontend' } },
      { value: of.servers.summed, labels: { kind: 'server' } },
      { value: of.backends.summed, labels: { kind: 'backend' } },
      { value: of.listeners.summed, labels: { kind: 'listener' } },
    ],
  ),
  family(
    'sluice_table_revision',
    'gauge',
    'Number of the table in force, from the control plane',
    (of) => [{ value: of.status.revision }],
  ),
  family('sluice_table_objects', 'gauge', 'Objects in force, from the control plane', (of) =>
    Object.entries(of.objects).map(([kind, value]) => ({ value, labels: { kind } })),
  ),
  family(
    'sluice_table_set_aside',
    'gauge',
    'Objects set aside because they are not valid, see /api/table, from the control plane',
    (of) => [{ value: of.status.setAside }],
  ),
  family(
    'sluice_table_last_change_timestamp_seconds',
    'gauge',
    'When the table last changed, in seconds since the epoch, from the control plane',
    ({ status: { lastChangeAt } }) =>
      lastChangeAt === null ? [] : [{ value: lastChangeAt / 1000 }],
  ),
  ...SOURCE_FAMILIES,
  ...ACME_FAMILIES,
  ...SCALE_FAMILIES,
  ...TEMPLATE_FAMILIES,
  ofListeners(
    'sluice_connections_not_kept_total',
    'counter',
    'Connections of clients that were closed immediately because the last file descriptors were in use, from the scoreboard',
    (row) => row.counts[COUNT.notKept],
  ),
  family(
    'sluice_shortages_total',
    'counter',
    'Times that the machine did not give what was needed, by the code of the error (EMFILE: file descriptors), from all threads',
    ({ status: { shortages } }) =>
      Object.entries(shortages).map(([code, value]) => ({ value, labels: { code } })),
  ),
  family('sluice_workers', 'gauge', 'Serving threads by state, from the control plane', (of) =>
    Object.entries(of.status.workers).map(([state, value]) => ({ value, labels: { state } })),
  ),
  family(
    'sluice_worker_restarts_total',
    'counter',
    'Serving threads that died and were started again, from the control plane',
    (of) => [{ value: of.status.workerRestarts }],
  ),
  family(
    'sluice_faults_total',
    'counter',
    'Faults of the proxy itself that were caught and kept to one object or exchange, by where they were met; each is worth a report, from the control plane',
    ({ status: { faults } }) =>
      Object.entries(faults).map(([stage, value]) => ({ value, labels: { stage } })),
  ),
  family(
    'sluice_event_loop_delay_seconds',
    'gauge',
    'Delay of the event loop of a thread in seconds, p99 (stat="p99") and longest (stat="max") of the last second, from perf_hooks',
    (of) =>
      of.status.eventLoopDelays.flatMap(({ thread, p99Ms, maxMs }) => [
        { value: p99Ms / 1000, labels: { thread, stat: 'p99' } },
        { value: maxMs / 1000, labels: { thread, stat: 'max' } },
      ]),
  ),
  family(
    'sluice_log_lines_dropped_total',
    'counter',
    'Lines of the log and the access log that could not be written, from the main thread',
    (of) => [{ value: of.status.droppedLogLines }],
  ),
  family(
    'sluice_dns_lookups_total',
    'counter',
    'Look-ups of names of servers, by result, from the main thread',
    ({ status: { names } }) =>
      Object.entries(names.lookups).map(([result, value]) => ({ labels: { result }, value })),
  ),
  family(
    'sluice_dns_names',
    'gauge',
    'Names that are followed: resolved, failing (the last good addresses are used), unresolved (there are none)',
    ({ status: { names } }) =>
      Object.entries(names.names).map(([state, value]) => ({ labels: { state }, value })),
  ),
]

/** With more certificates than this, those that end first have series. */
const MAX_CERTIFICATE_SERIES = 2000

function certificateSamples(certificates: readonly CertificateReport[]): readonly Sample[] {
  const shown =
    certificates.length <= MAX_CERTIFICATE_SERIES
      ? certificates
      : certificates
          .toSorted((one, other) => one.endsAt - other.endsAt)
          .slice(0, MAX_CERTIFICATE_SERIES)
  return shown.map(({ listener, name, serial, endsAt }) => ({
    value: endsAt / 1000,
    labels: { listener, name, serial },
  }))
}

function family(
  name: string,
  type: Family['type'],
  help: string,
  samples: Family['samples'],
): Family {
  return { name, type, help, samples }
}

function ofFrontends(name: string, type: Family['type'], help: string, value: ValueOf): Family {
  return family(name, type, help, (of) => of.frontends.rows.map((row) => toSample(row, value)))
}

function ofServers(name: string, type: Family['type'], help: string, value: ValueOf): Family {
  return family(name, type, help, (of) => of.servers.rows.map((row) => toSample(row, value)))
}

function ofListeners(name: string, type: Family['type'], help: string, value: ValueOf): Family {
  return family(name, type, help, (of) => of.listeners.rows.map((row) => toSample(row, value)))
}
