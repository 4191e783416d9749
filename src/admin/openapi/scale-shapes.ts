/** What GET /api/scale answers. */
import { DECISION_REASONS } from '../../policy/scaling/autoscaler.ts'
import {
  flag,
  type JsonSchema,
  listOf,
  map,
  named,
  nullable,
  oneOf,
  text,
  time,
  whole,
} from './schema.ts'

const DIRECTION = oneOf('up', 'down')

const METRIC = named(
  'ScaleMetric',
  map({
    metric: oneOf('concurrency', 'rps', 'latency'),
    window: oneOf('stable', 'panic'),
    value: { type: 'number', description: 'requests in flight, requests per second, or seconds' },
    replicas: whole,
  }),
)

const DECISION = named(
  'ScaleDecision',
  map({
    at: time,
    from: whole,
    to: whole,
    direction: DIRECTION,
    reason: oneOf(...DECISION_REASONS),
    restraints: listOf(text),
    outcome: oneOf('done', 'failed', 'dry-run'),
    error: nullable(text),
    inputs: map({
      ready: whole,
      waiting: whole,
      asked: nullable(whole),
      wanted: whole,
      panic: flag,
      metrics: listOf(METRIC),
    }),
  }),
)

const BACKEND = named(
  'BackendScale',
  map({
    backend: text,
    kind: text,
    min: whole,
    max: whole,
    desired: nullable(whole),
    observed: nullable(whole),
    ready: whole,
    waiting: whole,
    panic: flag,
    dryRun: flag,
    asked: nullable(map({ replicas: whole, reason: text, until: nullable(time) })),
    metrics: listOf(METRIC),
    problem: nullable(text),
    prometheus: nullable(
      map({
        value: nullable({ type: 'number', description: 'the last result of the query' }),
        problem: nullable(text),
        failures: whole,
      }),
    ),
    counts: map({
      decisions: listOf(
        map({ direction: DIRECTION, reason: oneOf(...DECISION_REASONS), count: whole }),
      ),
      failures: map({ set: whole, observe: whole }),
    }),
    decisions: listOf(DECISION),
  }),
)

export const SCALE: JsonSchema = named(
  'Scale',
  map({
    acting: flag,
    holder: nullable(text),
    problem: nullable(text),
    backends: listOf(BACKEND),
  }),
)
