/** Joins the scaler with the parts of the program. */
import { setTimeout as delay } from 'node:timers/promises'
import type { EventLog } from '../admin/event-log.ts'
import type { Admission } from '../control/admission/admit.ts'
import { withFiles } from '../control/sources/read-files.ts'
import type { SourceOptions } from '../control/sources/source.ts'
import { joinParts } from '../model/names.ts'
import type { Settings } from '../model/settings.ts'
import type { Snapshot } from '../model/snapshot.ts'
import type { OnFault } from '../observe/fault.ts'
import type { Log } from '../observe/log.ts'
import type { SourceReport } from '../observe/reports/source-report.ts'
import type { HealthMonitor } from '../health/health-monitor.ts'
import { openActuator } from '../scaling/actuators/catalog.ts'
import { createPrometheusInputs } from '../scaling/prometheus-input.ts'
import type { IsServer } from '../scaling/rotation.ts'
import { createScaler, type Scaler, type ScalerOptions } from '../scaling/scaler.ts'
import { openScalingRegistry } from './scaling-registry.ts'

const POLL_MS = 100

export interface ScalingParts extends Pick<ScalerOptions, 'scoreboard' | 'publisher'> {
  readonly config: string
  readonly settings: Settings
  readonly admission: Pick<Admission, 'find'>
  readonly snapshot: () => Snapshot
  readonly sources: () => readonly SourceReport[]
  /** This program replaces another one. */
  readonly replaces: boolean
  readonly health: Pick<HealthMonitor, 'serversOf' | 'hold'>
  readonly events: Pick<EventLog, 'add'>
  readonly onFault: OnFault
  readonly log: Log
}

export function openScaling(parts: ScalingParts): Scaler {
  const { config, settings, scoreboard, publisher, health, replaces, events, onFault, log } = parts
  const wake = (backend: string): void => scaler.wake(backend)
  const registry = openScalingRegistry(config, settings, log, wake)
  const { lock, exchange } = registry
  const scaler = createScaler({
    ...{ scoreboard, publisher, log, onFault },
    open: (spec, { id: backend, ready, isDry }) => {
      const sources = settings.sources.map((one) => withFiles(one, config))
      const rotation = {
        servers: () => health.serversOf(backend),
        hold: (isHeld: IsServer) => health.hold(backend, isHeld),
      }
      return openActuator(spec, {
        ...{ backend, ready, rotation, sources, config, log },
        replaces: replaces && !isDry,
      })
    },
    ...{ lock, exchange },
    dryRun: settings.scaling.dryRun,
    doubtOf: (backend) => doubtOf(backend, parts),
    onDecision: ({ backend, at: _at, inputs: _inputs, ...decision }) =>
      events.add('scale', { backend, ...decision }),
    now: () => performance.now(),
    date: Date.now,
    random: Math.random,
  })
  const prometheus = createPrometheusInputs({
    ...{ ...scaler, log },
    isActing: lock.isActing,
    async open(origin, headers) {
      const { createHttpClient } = await import('../providers/http-client/http-client.ts')
      return createHttpClient({ what: 'Prometheus', origin, headers, connections: 1 })
    },
    now: () => performance.now(),
  })

  return {
    ...scaler,
    report() {
      const { backends, ...rest } = scaler.report()
      const withInputs = backends.map((one) => ({
        ...{ ...one, prometheus: prometheus.report(one.backend) },
      }))
      return { ...rest, backends: withInputs }
    },
    start() {
      registry.begin()
      scaler.start()
      prometheus.start()
    },
    async stop(drained) {
      await Promise.all([prometheus.stop(), scaler.stop(drained)])
      await registry.close()
    },
  }
}

/**
 * Resolves when no request waits for a first server, or with `drained`: until then its first health check must be seen, because
 * a drain waits for these requests, too.
 */
export async function whenNoneWaits(
  scaler: Pick<Scaler, 'report'>,
  drained: Promise<void>,
): Promise<void> {
  const over = new AbortController()
  void drained.then(() => over.abort())
  const waits = (): boolean => scaler.report().backends.some(({ waiting }) => waiting > 0)
  while (!over.signal.aborted && waits()) {
    await delay(POLL_MS, undefined, { signal: over.signal }).catch(() => {})
  }
}

const LOCAL: ReadonlySet<string> = new Set(['file', 'directory'])

/** Which sources may name programs to run, see AdmissionOptions. */
export function programsOf(sources: readonly SourceOptions[]): (source: string) => boolean {
  const local = new Set(
    sources.flatMap(({ kind, provider }) => (LOCAL.has(kind) ? [provider.name] : [])),
  )
  return (source) => local.has(source)
}

/** The sources of the backend and of its servers, of which one may be lost: then it is not known which servers there are. */
function doubtOf(
  backend: string,
  { admission, snapshot, sources }: Pick<ScalingParts, 'admission' | 'snapshot' | 'sources'>,
): string | null {
  const states = new Map(sources().map((one) => [one.name, one]))
  const found = admission.find('backend', backend)?.inForce ?? null
  const servers = snapshot().backends.get(backend)?.servers ?? []
  const names = new Set([
    ...(found === null ? [] : [found.source]),
    ...servers.flatMap(({ id }) => {
      const server = admission.find('server', joinParts(backend, id))
      return server?.inForce?.source ?? []
    }),
  ])
  for (const name of names) {
    const source = states.get(name)
    if (source !== undefined && source.state !== 'live' && source.state !== 'syncing') {
      return `its source ${name} is ${source.state}`
    }
  }
  return null
}
