/** Every metric that /metrics can have, each with at least one sample: what docs, alert rules and the dashboard are held to. */
import { REASON_NAMES } from '../../src/http/message/errors.ts'
import type { HealthView } from '../../src/observe/reports/health-report.ts'
import { createMetrics } from '../../src/observe/metrics/metrics.ts'
import type { BackendScaleReport } from '../../src/observe/reports/scale-report.ts'
import type { SourceReport } from '../../src/observe/reports/source-report.ts'
import { DECISION_REASONS } from '../../src/policy/scaling/autoscaler.ts'
import { COUNT } from '../../src/scoreboard/layout.ts'
import { Scoreboard, ScoreboardView } from '../../src/scoreboard/scoreboard.ts'

const DIRECTORY = 'https://ca.example/dir'

export interface MetricForm {
  readonly type: string
  /** Of any of its samples. */
  readonly labels: ReadonlySet<string>
  /** Values that a label may have, where they are a few words. */
  readonly values: ReadonlyMap<string, ReadonlySet<string>>
}

const SOURCE: SourceReport = {
  ...{ name: 'file', kind: 'file', state: 'live', since: 0, revision: null, error: null },
  ...{ required: true, objects: 1, setAside: 0, conflicts: 0, lastSyncAt: 1, lastEventAt: 1 },
  ...{ events: 1, resyncs: { first: 1 }, losses: 0, flaps: 0, held: null, lastGood: null },
}

const SCALED: BackendScaleReport = {
  ...{ backend: 'b', kind: 'swarm', min: 1, max: 9, desired: 2, observed: 1, ready: 1 },
  ...{ waiting: 0, panic: false, dryRun: false, asked: null, metrics: [], problem: null },
  prometheus: { value: null, problem: 'it does not respond', failures: 1 },
  counts: {
    decisions: DECISION_REASONS.flatMap((reason) => [
      { direction: 'up', reason, count: 1 },
      { direction: 'down', reason, count: 1 },
    ]),
    failures: { set: 1, observe: 1 },
  },
  decisions: [],
}

const TALLY = {
  changes: { unknown: 1, up: 1, failing: 1, down: 1, draining: 1, ejected: 1 },
  probes: { success: 1, failure: 1 },
  ejections: { failures: 1, errors: 1, 'success-rate': 1 },
}

/** By the name that a sample has without `_bucket`, `_sum` and `_count`. */
export async function renderAllMetrics(): Promise<ReadonlyMap<string, MetricForm>> {
  const scoreboard = new Scoreboard(1, 0)
  const [frontend, backend, server, listener, stream] = [1, 2, 3, 4, 5].map(() =>
    scoreboard.allocate(),
  )
  for (const slot of [frontend, backend, server, listener, stream]) count(scoreboard, slot ?? 0)
  const url = 'http://10.0.0.1:80'
  const states = ['unknown', 'up', 'failing', 'down', 'draining', 'ejected'] as const
  const health: HealthView = {
    server: () => ({
      ...{ backend: 'b', id: 's', url, state: states[1], since: 0, reason: null, admit: 1 },
      ...{ inFlight: 0, ejections: 0, lastProbe: null, tally: TALLY },
    }),
    panics: () => true,
    tally: () => TALLY,
    trips: () => 1,
    breakers: () =>
      (['standby', 'tripped', 'recovering'] as const).map((state) => ({
        ...{ frontend: 'f', backend: null, server: null, condition: state, state, since: 0 },
        ...{ trips: 1, share: 1 },
      })),
    limits: () => [{ frontend: null, backend: 'b', limit: 20 }],
  }
  const text = await createMetrics({
    scoreboard,
    objects: () => ({
      frontends: [{ id: 'f', slot: frontend ?? 0, isStream: false }],
      backends: [
        { id: 'b', slot: backend ?? 0, servers: [{ url, slot: server ?? 0 }], holds: true },
      ],
      listeners: [
        {
          ...{ id: 'web', slot: listener ?? 0 },
          route: { id: 'listener/web', slot: stream ?? 0, isStream: true },
        },
      ],
    }),
    status: () => ({
      ...{ revision: 1, setAside: 0, lastChangeAt: 1, sources: [SOURCE], workers: { serving: 1 } },
      ...{ workerRestarts: 0, faults: { admit: 0 }, shortages: { EMFILE: 1 }, droppedLogLines: 0 },
      names: {
        lookups: { success: 1, failure: 1 },
        names: { resolved: 1, failing: 1, unresolved: 1 },
      },
      eventLoopDelays: [{ thread: 'main', p99Ms: 1, maxMs: 1 }],
      listeners: [],
      certificates: [{ listener: 'web', name: 'a.test', serial: '0a', endsAt: 1 }],
      acme: {
        names: [
          {
            ...{ name: 'a.test', state: 'valid', directory: DIRECTORY, endsAt: 1, renewsAt: 1 },
            ...{ explanation: null, reason: null, failures: [] },
          },
        ],
        orders: [{ directory: DIRECTORY, issued: 1, failed: 1 }],
        storeError: null,
      },
      scale: {
        ...{ acting: true, holder: null, problem: null },
        backends: [SCALED],
      },
      templates: [
        {
          ...{ name: 'proxy', dest: '/etc/p', source: null, state: 'current', reason: null },
          ...{ since: 1, renderedAt: 1, changedAt: 1, renders: 1, failures: 0, changes: 1 },
        },
      ],
    }),
    health,
    version: '1.2.3',
  }).render()
  const forms = readForms(text)
  // One server is in one state.
  const state = forms.get('sluice_server_state')?.values.get('state') as Set<string>
  for (const one of states) state.add(one)
  return forms
}

function count(scoreboard: Scoreboard, slot: number): void {
  const { counts, base } = new ScoreboardView(scoreboard.memory(), 0).slot(slot)
  const counters = [...Array(6).keys()].map((code) => COUNT.status + code)
  for (const counter of [...counters, COUNT.grpcStatus]) {
    counts[base + counter] = 1
  }
}

function readForms(text: string): Map<string, MetricForm> {
  const forms = new Map<string, MetricForm>()
  let current: MetricForm | undefined
  for (const line of text.split('\n')) {
    const [, name = '', type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? []
    if (type !== undefined) {
      current = { type, labels: new Set(), values: new Map() }
      forms.set(name, current)
    } else if (!line.startsWith('#')) {
      for (const [, label = '', value = ''] of line.matchAll(/(\w+)="([^"]*)"/g))
        note(current, label, value)
    }
  }
  return forms
}

function note(form: MetricForm | undefined, label: string, value: string): void {
  if (form === undefined) return
  const { labels, values } = form as unknown as {
    labels: Set<string>
    values: Map<string, Set<string>>
  }
  labels.add(label)
  values.set(label, (values.get(label) ?? new Set<string>()).add(value))
}

/** Reason codes and codes of statuses need no sample to be known. */
export const REASONS: ReadonlySet<string> = new Set(REASON_NAMES)
