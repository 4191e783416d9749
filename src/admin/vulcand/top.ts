/**
 * /v2/top: statistics of frontends and servers over the last ten seconds, from the scoreboard. Nothing is collected unless
 * they are asked for: the first answer is of the time since the start, and sampling ends a minute after the last.
 */
import type { Snapshot } from '../../model/snapshot.ts'
import { onDemand } from '../../model/on-demand.ts'
import type { JsonMap } from '../../model/parsed.ts'
import {
  latencyAt,
  SAMPLE_MS,
  totalOf,
  type TrafficWindow,
  TrafficWindows,
} from '../../observe/reports/traffic-window.ts'
import { COUNT, COUNTERS } from '../../scoreboard/layout.ts'
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

const IDLE_MS = 60_000

const forms = onDemand("vulcand's API", () => import('./native-forms.ts'))

export function topEndpoints(options: TopOptions): readonly Endpoint[] {
  const { snapshot, placed, readCounts, now } = options
  const windows = new TrafficWindows(readCounts, now)
  let timer: NodeJS.Timeout | null = null
  let askedAt = -Infinity
  const cells = new Float64Array(COUNTERS)

  function take(): void {
    if (now() - askedAt > IDLE_MS) {
      if (timer !== null) clearInterval(timer)
      timer = null
      windows.clear()
      return
    }
    windows.take(slots())
  }

  function* slots(): Generator<number> {
    for (const { slot, isStream } of placed().frontends) if (!isStream) yield slot
    for (const { servers } of placed().backends) for (const { slot } of servers) yield slot
  }

  function ask(): void {
    askedAt = now()
    if (timer !== null) return
    windows.clear()
    take()
    timer = setInterval(take, SAMPLE_MS)
    timer.unref()
  }

  function* frontends(backend: string | null): Generator<Ranked> {
    const { frontends: inForce } = snapshot()
    for (const { id, slot, isStream } of placed().frontends) {
      const frontend = inForce.get(id)
      if (isStream || frontend === undefined) continue
      if (backend !== null && frontend.backend !== backend) continue
      readCounts(slot, cells)
      if (totalOf(cells) === 0) continue
      const stats = statsOf(windows.of(slot), (counts) => counts[COUNT.status] ?? 0)
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
        const stats = statsOf(windows.of(slot), (counts) => counts[COUNT.failed] ?? 0)
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

/** The scoreboard counts classes of codes: 200 stands for all of 2xx. */
function statsOf(
  { counts, periodMs }: TrafficWindow,
  netErrorsOf: (of: Float64Array) => number,
): Stats {
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
        Value: latencyAt(counts, quantile / 100) * 1000,
      })),
    },
  }
}

function limitOf({ query }: Pick<Call, 'query'>): number | string {
  const text = query.get('limit') || '0'
  return /^[+-]?\d{1,9}$/.test(text)
    ? Number(text)
    : `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`
}
