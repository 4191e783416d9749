/** What has to be shown: every bar that the bench can measure, and whether it is met. */
import { median, readable } from './figures.ts'
import type { Http2Name } from './http2/h2load.ts'
import type { Results } from './results.ts'
import type { TcpResult } from './scenarios/tcp.ts'
import type { TimedResult } from './scenarios/timed.ts'
import type { TcpKind } from './tcp/load.ts'

export interface Bar {
  readonly what: string
  readonly limit: string
  readonly found: string
  /** Null when it was not measured in this run. */
  readonly met: boolean | null
}

interface Limit {
  readonly what: string
  readonly value: number | undefined
  readonly most: number
  readonly unit: string
  /** What the figure has to be read with. */
  readonly beside?: string
}

const MIB = 1024 * 1024

export function judge(results: Results): Bar[] {
  const { small, large, tls, logged, routes, memory, tcp, ready, change, grow, share } = results
  const idle = memory?.find((entry) => entry.contender === 'ours')?.bytesPerConnection
  const idleTcp = tcp?.entries.find((entry) => entry.contender === 'ours')?.idle
  const limits: Limit[] = [
    against('CPU per request, 1 KiB, to HAProxy', small, 'haproxy', 1.05),
    against('CPU per request, 1 KiB, to Caddy', small, 'caddy', 0.4),
    against('CPU per request, 1 KiB, to http-proxy-3', small, 'http-proxy-3', 0.4),
    against('CPU per request, 100 KiB, to HAProxy', large, 'haproxy', 1.05),
    against('CPU per request, TLS, to HAProxy', tls, 'haproxy', 1.08),
    against('CPU per request, with an access log, to HAProxy', logged, 'haproxy', 1.07),
    ...HTTP2_BARS.map(([what, name, other, most]) =>
      against(`HTTP/2, CPU per request, ${what}`, results[name], other, most),
    ),
    limit('HTTP/2, memory per idle connection, in clear', http2Idle(results, 'in clear'), 20, 'KB'),
    limit('HTTP/2, memory per idle connection, TLS', http2Idle(results, 'TLS'), 60, 'KB'),
    grown('10,000 host routes, to its own cost with one', routes, 10_000, 1.05),
    grown('100,000 host routes, to its own cost with one', routes, 100_000, 1.1),
    limit('100,000 routes, file to ready', full(ready)?.readySeconds, 3, 's'),
    limit('100,000 routes, resident memory', scaled(full(ready)?.residentBytes, MIB), 400, 'MB'),
    limit('one change among 10,000 routes, in force, p99', change?.inForceMs.p99, 100, 'ms'),
    {
      ...limit('longest stall of a serving thread while changing', change?.stallMs, 5, 'ms'),
      beside: `with nothing changing ${readable(change?.quietStallMs ?? NaN)} ms`,
    },
    limit(`${grow?.additions ?? 3000} routes added, failed requests`, grow?.failed, 0, ''),
    limit(
      'least-connections, share of a server 10 x slower',
      scaled(share?.slowShare, 0.01),
      15,
      '%',
    ),
    limit('memory per idle client connection', scaled(idle, 1024), 7, 'KB'),
    ...TCP_BARS.map(([what, kind]) => {
      const cost = quotient(tcpCostOf(tcp, 'ours', kind), tcpCostOf(tcp, 'haproxy', kind))
      return limit(`TCP, CPU per ${what}, to HAProxy`, cost, 1.5, 'x')
    }),
    limit('TCP, memory per idle connection', scaled(idleTcp?.bytesPerConnection, 1024), 6, 'KB'),
  ]
  return limits.map(({ what, value, most, unit, beside }) => ({
    what,
    limit: `<= ${most}${unit === 'x' ? ' x' : ` ${unit}`}`.trim(),
    found:
      value === undefined ? 'not measured' : `${readable(value)} ${unit}`.trim() + note(beside),
    met: value === undefined ? null : value <= most,
  }))
}

const HTTP2_BARS: readonly (readonly [string, Http2Name, string, number])[] = [
  ['1 KiB, to HAProxy', 'h2', 'haproxy', 1.15],
  ['1 KiB, to Caddy', 'h2', 'caddy', 0.4],
  ['1 KiB, to node:http2', 'h2', 'node-http2', 0.55],
  ['1 request a connection, to HAProxy', 'h2-single', 'haproxy', 1.25],
  ['varied paths and fields, to HAProxy', 'h2-varied', 'haproxy', 1.25],
  ['HTTP/2 to servers, to HAProxy', 'h2-upstream', 'haproxy', 1.25],
  ['100 KiB, to HAProxy', 'h2-large', 'haproxy', 1],
]

function http2Idle(results: Results, kind: string): number | undefined {
  const entry = results['h2-idle']?.find(
    ({ contender, title }) => contender === 'ours' && title.endsWith(kind),
  )
  return scaled(entry?.bytesPerConnection, 1024)
}

const TCP_BARS: readonly (readonly [what: string, kind: TcpKind])[] = [
  ['new connection', 'connect'],
  ['exchange', 'exchange'],
  ['GiB from servers', 'download'],
  ['GiB to servers', 'upload'],
]

/** The median of CPU us for each connection, exchange or byte. */
export function tcpCostOf(
  result: TcpResult | undefined,
  contender: string,
  kind: TcpKind,
): number | undefined {
  const entry = result?.entries.find((candidate) => candidate.contender === contender)
  return entry && median(entry.samples[kind].map((sample) => sample.cpuMicrosEach))
}

/** The median of CPU us per request. */
export function costOf(
  result: TimedResult | undefined,
  contender: string,
  routes = 1,
): number | undefined {
  const entry = result?.entries.find(
    (candidate) => candidate.contender === contender && candidate.routes === routes,
  )
  return entry && median(entry.samples.map((sample) => sample.cpuMicrosPerRequest))
}

function note(beside: string | undefined): string {
  return beside === undefined ? '' : ` (${beside})`
}

function against(
  what: string,
  result: TimedResult | undefined,
  other: string,
  most: number,
): Limit {
  return limit(what, quotient(costOf(result, 'ours'), costOf(result, other)), most, 'x')
}

function grown(what: string, result: TimedResult | undefined, routes: number, most: number): Limit {
  return limit(what, quotient(costOf(result, 'ours', routes), costOf(result, 'ours')), most, 'x')
}

function limit(what: string, value: number | undefined, most: number, unit: string): Limit {
  return { what, value, most, unit }
}

function quotient(value: number | undefined, base: number | undefined): number | undefined {
  return value === undefined || base === undefined ? undefined : value / base
}

function scaled(value: number | undefined, by: number): number | undefined {
  return value === undefined ? undefined : value / by
}

/** A table of another size says nothing about this bar. */
function full(ready: Results['ready']): Results['ready'] {
  return ready?.routes === 100_000 ? ready : undefined
}
