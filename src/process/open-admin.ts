/** The admin of a running program: it shows what the parts of the program report. */
import { resolve } from 'node:path'
import { drainEndpoints } from '../admin/objects/drain.ts'
import { objectEndpoints } from '../admin/objects/endpoints.ts'
import type { EventLog } from '../admin/event-log.ts'
import { daemonEndpoints } from '../admin/vulcand/daemon.ts'
import { vulcandEndpoints } from '../admin/vulcand/endpoints.ts'
import { topEndpoints } from '../admin/vulcand/top.ts'
import { processEndpoint } from '../admin/process.ts'
import { templateEndpoints } from '../admin/templates.ts'
import { alertmanagerEndpoint } from '../admin/scaling/alertmanager.ts'
import { orbiterEndpoints } from '../admin/scaling/orbiter.ts'
import { scaleRequestEndpoint } from '../admin/scaling/requests.ts'
import type { UpgradeStatus } from '../observe/reports/process-report.ts'
import { createObjectService } from '../admin/objects/object-service.ts'
import { type Admin, createAdmin } from '../admin/server.ts'
import { createFileReader, withFiles } from '../control/sources/read-files.ts'
import { chooseSource } from '../control/writing/open-store.ts'
import { openWriter } from '../control/writing/writer.ts'
import type { TableView } from '../admin/table.ts'
import type { Control, Table } from '../control/control.ts'
import type { Faults } from '../observe/fault.ts'
import type { HealthMonitor } from '../health/health-monitor.ts'
import type { Resolver } from '../dns/resolver.ts'
import type { Publisher } from '../control/publication/publisher.ts'
import type { Settings } from '../model/settings.ts'
import type { Acme } from '../acme/acme.ts'
import { NO_ACME } from '../observe/reports/acme-report.ts'
import type { ListenerReport } from '../observe/reports/listener-report.ts'
import type { LeveledLog } from '../observe/log.ts'
import { createCountsReader } from '../observe/metrics/series.ts'
import { createMetrics } from '../observe/metrics/metrics.ts'
import type { Sink } from '../observe/sink.ts'
import type { Scaler } from '../scaling/scaler.ts'
import type { Shortages } from '../observe/shortages.ts'
import type { ListeningSocket } from '../model/listening-socket.ts'
import { systemMs } from '../scoreboard/board-clock.ts'
import type { Scoreboard } from '../scoreboard/scoreboard.ts'
import { followEvents } from './follow-events.ts'
import { openAdminCertificate } from './admin-certificate.ts'
import type { RunningTemplates } from './rendering.ts'
import type { Threads } from './threads.ts'
import { processStart } from '../model/process-start.ts'
import { ADMIN_ADDRESS, ADMIN_SOCKET, type Inherited } from './upgrade/inherited.ts'

export interface AdminParts {
  readonly settings: Settings
  readonly scoreboard: Scoreboard
  readonly publisher: Publisher
  readonly health: HealthMonitor
  readonly control: Control
  /** Null: no certificates are ordered. */
  readonly acme: Pick<Acme, 'report'> | null
  readonly scaler: Pick<Scaler, 'report' | 'request' | 'specOf' | 'backends'>
  readonly threads: Threads
  readonly templates: Pick<RunningTemplates, 'reports' | 'table'>
  readonly resolver: Pick<Resolver, 'counts'>
  readonly sink: Sink
  readonly log: LeveledLog
  readonly faults: Pick<Faults, 'counts'>
  readonly shortages: Pick<Shortages, 'counts'>
  readonly version: string
  /** Relative paths start there. */
  readonly config: string
  readonly events: EventLog
  /** Descriptors of listening sockets; null: it opens its own. */
  readonly inherited: Inherited['admin']
  readonly upgrade: () => UpgradeStatus
  /** The settings of the admin as they are now: tokens may change. */
  readonly access: () => Settings['admin']
}

export interface OpenedAdmin extends Admin {
  /** For a successor of this program. */
  sockets(): readonly ListeningSocket[]
  /** Loads what the first scrape needs; a scrape that comes sooner waits for it. */
  loadMetrics(): void
}

export async function openAdmin(
  parts: AdminParts,
  state: () => 'starting' | 'ready' | 'draining',
): Promise<OpenedAdmin> {
  const {
    settings,
    scoreboard,
    publisher,
    health,
    control,
    acme,
    scaler,
    threads,
    templates,
    resolver,
    sink,
    log,
    faults,
    shortages,
    version,
    events,
  } = parts
  let lastChangeAt: number | null = null
  const metrics = createMetrics({
    scoreboard,
    objects: () => publisher.placed(),
    status: () => {
      const { workers, restarts, eventLoopDelays } = threads.status()
      return {
        revision: publisher.inForce(),
        setAside: control.setAside().length,
        lastChangeAt,
        sources: control.sources(),
        workers,
        workerRestarts: restarts,
        faults: faults.counts(),
        shortages: shortages.counts(),
        droppedLogLines: sink.dropped,
        names: resolver.counts(),
        eventLoopDelays,
        listeners: threads.listeners(),
        certificates: control.certificates(),
        acme: acme?.report() ?? NO_ACME,
        scale: scaler.report(),
        templates: templates.reports(),
      }
    },
    health,
    version,
  })
  publisher.listen({
    onInForce(_number, changedAt) {
      lastChangeAt = Date.now()
      metrics.observeChange((performance.now() - changedAt) / 1000)
    },
  })
  const objects = createObjectService({
    openWriter: () =>
      openWriter(
        withFiles(chooseSource(settings, settings.admin.write), parts.config),
        createFileReader(parts.config),
      ),
    statusOf: control.statusOf,
    whenInForce: () => publisher.whenInForce(publisher.latest()),
  })
  followEvents(events, publisher, control.certificateList)
  const certificate = openAdminCertificate(parts.config, settings.admin.tls)
  const admin = await createAdmin({
    address: settings.admin.address,
    names: settings.admin.hosts,
    socket: settings.admin.socket,
    inherited: parts.inherited,
    certificate: certificate.current(),
    version,
    access: parts.access,
    endpoints: [
      ...objectEndpoints(objects),
      ...drainEndpoints(objects),
      scaleRequestEndpoint(scaler),
      alertmanagerEndpoint(scaler),
      ...orbiterEndpoints(scaler),
      events.endpoint,
      processEndpoint(() => ({
        pid: process.pid,
        started: processStart('self'),
        version,
        data: resolve(settings.data),
        upgrade: parts.upgrade(),
      })),
      ...templateEndpoints(templates),
      ...vulcandEndpoints({
        service: objects,
        isInForce: ({ kind, id }) => kind === 'backend' && control.snapshot().backends.has(id),
      }),
      ...topEndpoints({
        snapshot: control.snapshot,
        placed: () => publisher.placed(),
        readCounts: createCountsReader(scoreboard),
        now: () => systemMs() - scoreboard.beganAt,
      }),
      ...daemonEndpoints({ level: () => log.level(), setLevel: log.setLevel }),
    ],
    table: (kind) => withListening(control.table(kind), threads.listeners()),
    servers: health,
    certificates: {
      certificates: control.certificateList,
      acme: () => acme?.report() ?? NO_ACME,
    },
    scale: scaler.report,
    metrics,
    ready: () => ({
      ready: state() === 'ready',
      reason: state() === 'starting' ? whyNotReady(control) : state(),
      notListening: threads
        .listeners()
        .flatMap(({ listening, threads: _threads, ...rest }) => (listening ? [] : rest)),
    }),
    providers: control.sources,
    confirm: control.confirm,
    reload: control.reload,
    log,
  })
  certificate.follow(admin.replaceCertificate, (message) => log.warn({}, message))
  return {
    ...admin,
    close(how) {
      certificate.stop()
      events.close()
      return admin.close(how)
    },
    sockets() {
      const { address, socket } = admin.descriptors()
      const { address: declared, socket: path } = settings.admin
      return [
        { fd: address, at: admin.address, listener: ADMIN_ADDRESS, declared },
        ...(socket === null || path === null
          ? []
          : [{ fd: socket, at: path, listener: ADMIN_SOCKET, declared: null }]),
      ]
    },
    loadMetrics() {
      metrics.load().catch((error: unknown) => log.error({ err: error }, 'cannot load prom-client'))
    },
  }
}

interface WithState {
  readonly state: object
}

/** The table, in which each listener has its state. */
function withListening(table: Table, reports: readonly ListenerReport[]): TableView {
  const byId = new Map(reports.map(({ id, ...report }) => [id, report]))

  function* objects(): Generator<
    Table['objects'] extends Iterable<infer T> ? T | (T & WithState) : never
  > {
    for (const object of table.objects) {
      yield object.kind === 'listener'
        ? { ...object, state: byId.get(object.id) ?? NOT_YET }
        : object
    }
  }
  return { ...table, objects: objects() }
}

const NOT_YET = { listening: false, at: null, reason: 'no serving thread has it yet' }

function whyNotReady(control: Control): string {
  const silent = control
    .sources()
    .filter(({ state, required }) => required && state !== 'live')
    .map(
      ({ name, state, error }) => `source ${name} is ${state}${error === null ? '' : `: ${error}`}`,
    )
  return ['the first table is not in force yet', ...silent].join('; ')
}
