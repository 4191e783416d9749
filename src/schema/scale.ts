/** The schema of `scale`, the replicas of a backend. */
import * as z from 'zod'
import {
  type LatencyTarget,
  MAX_REPLICAS,
  type PrometheusInput,
  type ScaleInputs,
  type ScaleSpec,
  type ScaleSteps,
  type ScaleTarget,
  type ZeroSpec,
} from '../model/scale.ts'
import { isMap } from '../model/parsed.ts'
import { DAY_MS, formatDuration, HOUR_MS } from '../model/units.ts'
import {
  type Complain,
  count,
  duration,
  flag,
  inputOf,
  meaning,
  part,
  ratio,
  scalar,
  section,
  share,
  strict,
  text,
  whole,
} from '../options/fields.ts'
import { parseHookUrl } from '../options/web-hook.ts'
import { actuator, headers } from './actuator.ts'

const MAX_STEP = 100
const MAX_QUERY = 2048
const MAX_PORT = 65_535
const SHORTEST_WINDOW_MS = 2_000
const LONGEST_WINDOW_MS = HOUR_MS

/** `100` for `{ target: 100 }`. What is wrong with the short form is wrong at its own place, where a label is read as a number. */
function shortly<T>(of: z.ZodType<T>, key: string, types: readonly string[]): z.ZodType<T> {
  return z
    .unknown()
    .transform((value, context) => {
      const isLong = isMap(value)
      const read = of.safeParse(isLong ? value : { [key]: value }, { reportInput: true })
      if (read.success) return read.data
      for (const issue of read.error.issues) {
        const path = isLong ? issue.path : issue.path.slice(1)
        context.issues.push({ ...issue, path, input: issue.input } as z.core.$ZodRawIssue)
      }
      return z.NEVER
    })
    .meta({ ...inputOf(of), type: [...types, 'object'] })
}

function target(what: string, description: string): z.ZodType<ScaleTarget> {
  const form = strict(
    {
      target: ratio(what, 0.001, 1_000_000),
      utilisation: part('The share of it that is aimed at.', 0.01, 1).prefault('70%'),
    },
    description,
  )
  return shortly(form, 'target', ['number'])
}

const latency: z.ZodType<LatencyTarget> = shortly(
  meaning(
    strict(
      {
        target: duration('The 95th percentile that is aimed at.', '250ms', 1, 600_000),
        deadBand: share('Up to this share above or below it nothing changes.', '20%'),
        step: part('One decision changes at most this share of the replicas.', 0.01, 1).prefault(
          '50%',
        ),
      },
      'Scale by the time to the end of responses.',
    ),
    ({ target: targetMs, deadBand, step }) => ({ targetMs, deadBand, step }),
  ),
  'target',
  ['string', 'number'],
)

const zero: z.ZodType<ZeroSpec> = meaning(
  strict(
    {
      idle: duration('Without a request for so long, it scales to zero.', '5m'),
      grace: duration('How much longer the last replica stays after that.', '30s', 0),
      maxPending: count(
        'Requests that wait for the first replica at a time; others get 503.',
        100,
        1,
        100_000,
      ),
      timeout: duration('How long a request waits for it before it gets 503.', '30s', 1, 600_000),
    },
    'With min: 0: when it scales to zero, and what then becomes of requests.',
  ),
  ({ idle: idleMs, grace: graceMs, maxPending, timeout: timeoutMs }) => ({
    idleMs,
    graceMs,
    maxPending,
    timeoutMs,
  }),
)

const steps: z.ZodType<ScaleSteps> = strict(
  {
    up: count('How many replicas more with each call up.', 1, 1, MAX_STEP),
    down: count('How many less with each call down.', 1, 1, MAX_STEP),
  },
  'How far one call or alert scales.',
)

const prometheus: z.ZodType<PrometheusInput> = meaning(
  strict(
    {
      url: scalar(parseHookUrl, {
        type: 'string',
        pattern: '^https?://',
        description: 'Where Prometheus is: http://prometheus:9090.',
      }),
      headers: headers.optional(),
      query: text('An instant query with one number as its result.', MAX_QUERY),
      target: ratio('How much of it one replica serves.', 0.001, 1_000_000_000),
      interval: duration('How often it is asked.', '15s', 1_000, LONGEST_WINDOW_MS),
    },
    'Scale by the result of a query.',
  ),
  ({ url, headers: fields = {}, query, target: of, interval: intervalMs }) => ({
    ...{ url, headers: fields, query, target: of, intervalMs },
  }),
)

const inputs: z.ZodType<ScaleInputs> = meaning(
  section(
    {
      hold: duration(
        'How long a number that was asked for is a lower bound for what is measured. If nothing is measured, it stays.',
        '5m',
      ),
      orbiter: steps.optional(),
      alertmanager: steps.optional(),
      prometheus: prometheus.optional(),
    },
    'Who else may ask for replicas, besides POST /api/scale.',
  ),
  ({ hold, orbiter = null, alertmanager = null, prometheus: query = null }) => ({
    holdMs: hold,
    orbiter,
    alertmanager,
    prometheus: query,
  }),
)

const NORMAL_ZERO: ZeroSpec = zero.parse({})

const form = strict(
  {
    actuator,
    min: count('The least replicas; with 0 the backend scales to zero.', 1, 0, MAX_REPLICAS),
    max: whole('The most replicas.', 1, MAX_REPLICAS),
    concurrency: target(
      'Requests in flight in one replica.',
      'Scale by requests in flight and waiting. The default, with a target of 100, if nothing else is named.',
    ).optional(),
    rps: target('Requests a second of one replica.', 'Scale by requests a second.').optional(),
    latency: latency.optional(),
    stableWindow: duration(
      'What is measured is averaged over this time.',
      '60s',
      SHORTEST_WINDOW_MS,
      LONGEST_WINDOW_MS,
    ),
    panicWindow: duration(
      'The shorter time over which a sudden load is seen.',
      '6s',
      SHORTEST_WINDOW_MS,
      LONGEST_WINDOW_MS,
    ),
    panicThreshold: ratio(
      'A load for so many times the replicas that are ready is sudden.',
      1.1,
      100,
    ).prefault(2),
    upRate: ratio(
      'One decision multiplies the replicas that are ready by at most this.',
      1.1,
      1000,
    ).prefault(10),
    downRate: ratio('One decision divides the replicas by at most this.', 1.1, 1000).prefault(2),
    downDelay: duration(
      'It scales down to the largest number that was wanted within this time.',
      '0s',
      0,
      LONGEST_WINDOW_MS,
    ),
    cooldown: section(
      {
        up: duration('Between two decisions to scale up.', '0s', 0, DAY_MS),
        down: duration('Between two decisions to scale down.', '0s', 0, DAY_MS),
      },
      'How long a decision waits for the last one in its direction.',
    ),
    zero: zero.optional(),
    inputs,
    dryRun: flag('Decisions are logged and shown, and change nothing.', false),
  },
  'Scale the number of servers by what is measured. See docs/scaling.md.',
)

export const scale: z.ZodType<ScaleSpec> = meaning(form, toScaleSpec)

function toScaleSpec(read: z.output<typeof form>, complain: Complain): ScaleSpec {
  const { min, max, zero: toZero, stableWindow, panicWindow } = read
  const { concurrency = null, rps = null, latency: byTime = null } = read
  if (max < min) complain(`must not be less than min (${min})`, ['max'])
  const { actuator: by } = read
  if (by.kind === 'process' && by.port + max - 1 > MAX_PORT) {
    const last = `the last of ${max} replicas would have port ${by.port + max - 1}`
    complain(`leaves no room up to ${MAX_PORT}: ${last}`, ['actuator', 'process', 'port'])
  }
  if (toZero !== undefined && min > 0) complain('is used with min: 0 only', ['zero'])
  if (panicWindow > stableWindow) {
    const longest = formatDuration(stableWindow)
    complain(`must not be longer than stableWindow (${longest})`, ['panicWindow'])
  }
  // Requests from outside alone are a way to scale, too.
  const hasMetric = concurrency !== null || rps !== null || byTime !== null
  const { orbiter, alertmanager, prometheus: query } = read.inputs
  const isMeasured = hasMetric || (orbiter === null && alertmanager === null && query === null)
  return {
    actuator: read.actuator,
    min,
    max,
    concurrency: hasMetric || !isMeasured ? concurrency : { target: 100, utilisation: 0.7 },
    rps,
    latency: byTime,
    stableMs: stableWindow,
    panic: { windowMs: panicWindow, threshold: read.panicThreshold },
    upRate: read.upRate,
    downRate: read.downRate,
    downDelayMs: read.downDelay,
    cooldown: { upMs: read.cooldown.up, downMs: read.cooldown.down },
    zero: min > 0 ? null : (toZero ?? NORMAL_ZERO),
    inputs: read.inputs,
    dryRun: read.dryRun,
  }
}
