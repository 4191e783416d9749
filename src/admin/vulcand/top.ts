/**
 * /v2/top: statistics of frontends and servers over the last ten seconds, from the scoreboard. Nothing is collected unless
 * they are asked for: the first answer is of the time since the start, and sampling ends a minute after the last.
 */
import type { Snapshot } from '../../model/snapshot.ts'
import { onDemand } from '../../model/on-demand.ts'
import type { JsonMap } from '../../model/parsed.ts'
import { COUNT, COUNTERS, DURATION_BOUNDS } from '../../scoreboard/layout.ts'
import { type Call, type Endpoint, jsonOf, reading } from '../endpoint.ts'
import { answerOf, messageAnswer } from '../vulcand-answer.ts'

export interface TopOptions {
  /** What is in force. */
  readonly snapshot: () => Pick<Snapshot, 'frontends' | 'backends'>
  readonly placed: () => {
    readonly frontends: Iterable<{
      readonly id: string
      readonly slot: number
      readonly isStream: boolean
    }>
    readonly backends: Iterable<{
      readonly id: string
      readonly servers: Iterable<{ readonly url: string; readonly slot: number }>
    }>
  }
  /** Fills COUNTERS cells, over all threads. */
  readonly readCounts: (slot: number, into: Float64Array) => void
  /** ms of a monotonic clock; 0 when the scoreboard began. */
  readonly now: () => number
}

const shapes = onDemand("the schemas of vulcand's API", () => import('./shapes.ts'))

const SAMPLE_MS = 1_000
const WINDOW_SAMPLES = 10
const IDLE_MS = 60_000

/** The counters of a window, and its length. */
interface Window {
  readonly counts: Float64Array
  readonly periodMs: number
}

interface Sample {
  readonly at: number
  readonly counts: ReadonlyMap<number, Float64Array>
}

const forms = onDemand("vulcand's API", () => import('./native-forms.ts'))

export function topEndpoints(options: TopOptions): readonly Endpoint[] {
  const { snapshot, placed, readCounts, now } = options
  let samples: Sample[] = []
  let timer: NodeJS.Timeout | null = null
  let askedAt = -Infinity
  const cells = new Float64Array(COUNTERS)

  /** Only of what has had traffic: 10,000 routes are mostly idle. */
  function take(): void {
    if (now() - askedAt > IDLE_MS) {
      if (timer !== null) clearInterval(timer)
      timer = null
      samples = []
      return
    }
    const counts = new Map<number, Float64Array>()
    const add = (slot: number): void => {
      readCounts(slot, cells)
      if (totalOf(cells) > 0) counts.set(slot, cells.slice())
    }
    for (const { slot, isStream } of placed().frontends) if (!isStream) add(slot)
    for (const { servers } of placed().backends) for (const { slot } of servers) add(slot)
    samples = [...samples, { at: now(), counts }].slice(-WINDOW_SAMPLES - 1)
  }

  function ask(): void {
    askedAt = now()
    if (timer !== null) return
    samples = []
    take()
    timer = setInterval(take, SAMPLE_MS)
    timer.unref()
  }

  function windowOf(slot: number): Window {
    readCounts(slot, cells)
    const [oldest] = samples
    const isFirst = oldest === undefined || now() - oldest.at < SAMPLE_MS
    if (isFirst) return { counts: cells.slice(), periodMs: now() }
    const before = oldest.counts.get(slot)
    // Less than before: the slot was zeroed for another object.
    const counts = cells.map((count, cell) => {
      const earlier = before?.[cell] ?? 0
      return count >= earlier ? count - earlier : count
    })
    return { counts, periodMs: now() - oldest.at }
  }

  function* frontends(backend: string | null): Generator<Ranked> {
    const { frontends: inForce } = snapshot()
    for (const { id, slot, isStream } of placed().frontends) {
      const frontend = inForce.get(id)
      if (isStream || frontend === undefined) continue
      if (backend !== null && frontend.backend !== backend) continue
      readCounts(slot, cells)
      if (totalOf(cells) === 0) continue
      const stats = statsOf(windowOf(slot), (counts) => counts[COUNT.status] ?? 0)
      const { Settings, ...rest } = forms.loaded().frontendOf(id, frontend)
      yield { object: { ...rest, Stats: stats.shown, Settings }, ...stats }
    }
  }

  function* servers(wanted: string | null): Generator<Ranked> {
    const { backends } = snapshot()
    for (const { id, servers: all } of placed().backends) {
      if (wanted !== null && id !== wanted) continue
      const names = new Map(backends.get(id)?.servers.map((one) => [one.url, one.id]))
      for (const { url, slot } of all) {
        const stats = statsOf(windowOf(slot), (counts) => counts[COUNT.failed] ?? 0)
        yield { object: { Id: names.get(url) ?? url, URL: url, Stats: stats.shown }, ...stats }
      }
    }
  }

  function top(list: string, of: (backend: string | null) => Iterable<Ranked>): Endpoint['run'] {
    return async (call) => {
      const limit = limitOf(call)
      if (typeof limit === 'string') return messageAnswer(400, limit)
      await forms.load()
      const found = [...of(call.query.get('backendId') || null)].sort(compare)
      ask()
      const shown = limit > 0 ? found.slice(0, limit) : found
      return answerOf(200, { [list]: shown.map(({ object }) => object) })
    }
  }

  const query = { limit: 'at most so many; 0: all', backendId: 'only those of this backend' }
  const answers = { 200: 'as vulcand', 400: 'limit is no number' }
  return [
    reading(
      '/v2/top/frontends',
      'vulcand: frontends with their statistics',
      top('Frontends', frontends),
      { query, answers, gives: jsonOf(async () => (await shapes.load()).TOP_FRONTENDS) },
    ),
    reading('/v2/top/servers', 'vulcand: servers with their statistics', top('Servers', servers), {
      query,
      answers,
      gives: jsonOf(async () => (await shapes.load()).TOP_SERVERS),
    }),
  ]
}

interface Stats {
  readonly shown: JsonMap
  readonly netErrors: number
  readonly appErrors: number
  readonly total: number
}

interface Ranked extends Stats {
  readonly object: JsonMap
}

/** As vulcand: by the ratio of network errors, then of 5xx, then by requests. */
function compare(a: Ranked, b: Ranked): number {
  return b.netErrors - a.netErrors || b.appErrors - a.appErrors || b.total - a.total
}

function totalOf(counts: Float64Array): number {
  let total = 0
  for (let code = 0; code <= 5; code++) total += counts[COUNT.status + code] ?? 0
  return total
}

/** The scoreboard counts classes of codes: 200 stands for all of 2xx. */
function statsOf({ counts, periodMs }: Window, netErrorsOf: (of: Float64Array) => number): Stats {
  const total = totalOf(counts)
  const netErrors = netErrorsOf(counts)
  const codes = [1, 2, 3, 4, 5].flatMap((code) => {
    const count = counts[COUNT.status + code] ?? 0
    return count > 0 ? [{ Code: code * 100, Count: count }] : []
  })
  const good = counts[COUNT.status + 2] ?? 0
  return {
    total,
    netErrors: total === 0 ? 0 : netErrors / total,
    appErrors: good === 0 ? 0 : (counts[COUNT.status + 5] ?? 0) / good,
    shown: {
      Verdict: { IsBad: false, Anomalies: null },
      Counters: {
        Period: Math.round(periodMs) * 1_000_000,
        NetErrors: netErrors,
        Total: total,
        StatusCodes: codes,
      },
      LatencyBrackets: [50, 75, 95, 99, 99.9].map((quantile) => ({
        Quantile: quantile,
        Value: latencyAt(counts, quantile / 100),
      })),
    },
  }
}

/** In ns, at a resolution of us: a straight line within the bucket of the quantile. */
function latencyAt(counts: Float64Array, quantile: number): number {
  const buckets = [...DURATION_BOUNDS, Infinity].map((_, at) => counts[COUNT.duration + at] ?? 0)
  const total = buckets.reduce((sum, count) => sum + count, 0)
  let left = total * quantile
  for (const [at, count] of buckets.entries()) {
    if (count > 0 && left <= count) {
      const low = at === 0 ? 0 : (DURATION_BOUNDS[at - 1] ?? 0)
      const high = DURATION_BOUNDS[at] ?? low
      return Math.round((low + (high - low) * (left / count)) * 1e6) * 1000
    }
    left -= count
  }
  return 0
}

function limitOf({ query }: Pick<Call, 'query'>): number | string {
  const text = query.get('limit') || '0'
  return /^[+-]?\d{1,9}$/.test(text)
    ? Number(text)
    : `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`
}
