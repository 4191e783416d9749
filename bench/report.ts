/** The tables on the terminal. */
import { costOf, judge } from './bars.ts'
import { median, spreadOf } from './figures.ts'
import type { Results } from './results.ts'
import { HTTP2_LOADS } from './scenarios/http2.ts'
import type { TimedResult } from './scenarios/timed.ts'
import { section, table, times, type Row } from './table.ts'
import { tcpTables } from './tcp/report.ts'

/** Contenders and their ratios first, then the figures of each scenario; `withBars`: Sluice judged, at the end. */
export function report(results: Results, withBars: boolean): string {
  const { machine } = results
  const parts = [
    `${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}, Node ${machine.node}, ` +
      `origins ${machine.origins}, load by ${machine.generator}, ${results.date}`,
    Object.entries(results.versions)
      .map(([title, version]) => `${title} ${version}`)
      .join(', '),
    ...results.leftOut.map((line) => `left out: ${line}`),
    machine.pinned ? '' : 'NOT PINNED: the proxy shares cores with the load; do not compare.',
    machine.loadBefore > 0.5
      ? `The machine was busy before the bench began (load ${machine.loadBefore.toFixed(2)}).`
      : '',
    summary(results),
    timed('Browser-like request, 1 KiB response', results.small),
    timed('100 KiB response', results.large),
    timed('TLS, 1 KiB response', results.tls),
    timed('With an access log, 1 KiB response', results.logged),
    timed('Host routes, 1 KiB response', results.routes),
    timed('As autocannon sees it, 1 KiB response', results.autocannon),
    ...HTTP2_LOADS.map(({ name, title }) => timed(`HTTP/2 over TLS, ${title}`, results[name])),
    memory('Memory per idle client connection', results.memory),
    memory('HTTP/2, memory per idle client connection', results['h2-idle']),
    tcpTables(results.tcp),
    ready(results),
    changes(results),
    withBars ? bars(results) : '',
  ]
  return parts.filter((part) => part !== '').join('\n') + '\n'
}

const COLUMNS = [
  ['1 KiB', 'small'],
  ['100 KiB', 'large'],
  ['TLS, 1 KiB', 'tls'],
  ['with a log', 'logged'],
  ['HTTP/2, 1 KiB', 'h2'],
] as const

/** All who were timed, one a line: CPU time, and how many times as much as Sluice. */
function summary(results: Results): string {
  const measured = COLUMNS.flatMap(([title, key]) => {
    const result = results[key]
    return result === undefined ? [] : [{ title, result }]
  })
  const titles = new Map(
    measured.flatMap(({ result }) => result.entries.map((one) => [one.contender, one.title])),
  )
  if (titles.size < 2) return ''
  const rows = Array.from(titles, ([contender, title]): Row => [
    title,
    ...measured.flatMap(({ result }) => {
      const cost = costOf(result, contender)
      if (cost === undefined) return ['-', '-']
      return [cost.toFixed(1), times(cost, costOf(result, 'ours'))]
    }),
  ])
  const head = ['', ...measured.flatMap(({ title }) => [title, 'x Sluice'])]
  return [
    section('CPU us/request, and how many times as much as Sluice'),
    table([head, ...rows]),
  ].join('\n')
}

function timed(title: string, result: TimedResult | undefined): string {
  if (result === undefined) return ''
  const sized = result.entries.some((entry) => entry.routes > 1)
  const head = ['', 'CPU us/request', 'min - max', 'user', 'kernel', 'x HAProxy', 'x Sluice']
  const rows = result.entries.map((entry): Row => {
    const cpu = spreadOf(entry.samples.map((sample) => sample.cpuMicrosPerRequest))
    const kernel = median(entry.samples.map((sample) => sample.kernelMicrosPerRequest))
    const user = median(
      entry.samples.map((sample) => sample.cpuMicrosPerRequest - sample.kernelMicrosPerRequest),
    )
    const rate = median(entry.samples.map((sample) => sample.requestsPerSecond))
    const errors = entry.samples.reduce((sum, sample) => sum + sample.errors, 0)
    return [
      sized ? `${entry.title}, ${entry.routes.toLocaleString('en')}` : entry.title,
      cpu.median.toFixed(1),
      `${cpu.min.toFixed(1)} - ${cpu.max.toFixed(1)}`,
      user.toFixed(1),
      kernel.toFixed(1),
      times(cpu.median, costOf(result, 'haproxy', entry.routes)),
      times(cpu.median, costOf(result, 'ours', entry.routes)),
      ...(sized ? [times(cpu.median, costOf(result, entry.contender))] : []),
      Math.round(rate).toLocaleString('en'),
      median(entry.samples.map((sample) => sample.p50Ms)).toFixed(2),
      median(entry.samples.map((sample) => sample.p99Ms)).toFixed(2),
      errors === 0 ? '' : `${errors} errors`,
    ]
  })
  const own = sized ? ['x own at 1'] : []
  const columns = [...head, ...own, 'requests/s', 'p50 ms', 'p99 ms', '']
  const absent = result.absent.map((line) => `  left out: ${line}`)
  return [section(title), table([columns, ...rows]), ...absent].join('\n')
}

function memory(title: string, entries: Results['memory']): string {
  if (entries === undefined) return ''
  const rows = entries.map((entry): Row => [
    entry.title,
    (entry.bytesPerConnection / 1024).toFixed(1),
    entry.connections.toLocaleString('en'),
    (entry.residentBytes / 1024 / 1024).toFixed(0),
  ])
  const head = ['', 'KB/connection', 'connections', 'resident MB']
  return [section(title), table([head, ...rows])].join('\n')
}

function ready({ ready: found }: Results): string {
  if (found === undefined) return ''
  const mib = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(0)} MB`
  return [
    section(
      `${found.routes.toLocaleString('en')} routes from a JSON file of ${mib(found.fileBytes)}`,
    ),
    `  ready after ${found.readySeconds.toFixed(2)} s, resident ${mib(found.residentBytes)}, ` +
      `at most ${mib(found.peakResidentBytes)}`,
  ].join('\n')
}

function changes({ change, grow, share }: Results): string {
  const lines: string[] = []
  if (change !== undefined) {
    const { p50, p99, max } = change.inForceMs
    lines.push(
      section(
        `${change.changes} changes among ${change.routes.toLocaleString('en')} routes under load`,
      ),
      `  in force after: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, at most ${max.toFixed(1)} ms`,
      `  longest stall: ${change.stallMs.toFixed(1)} ms; with nothing changing: ` +
        `${change.quietStallMs.toFixed(1)} ms; the prober's own: ${change.changing.ownStallMs.toFixed(1)} ms`,
      `  delay of event loops, by its own account: ${delays(change.loopDelaysMs)}; with nothing changing: ` +
        delays(change.quietLoopDelaysMs),
    )
  }
  if (grow !== undefined) {
    const proxied = grow.prober.streams['proxied']
    lines.push(
      section(
        `${grow.additions.toLocaleString('en')} routes added one by one in ${grow.seconds.toFixed(0)} s`,
      ),
      `  ${proxied?.answered ?? 0} requests served, ${grow.failed} failed; the last route in force after ` +
        `${grow.lastInForceMs.toFixed(0)} ms; longest stall ${grow.stallMs.toFixed(1)} ms`,
    )
  }
  if (share !== undefined) {
    lines.push(
      section('Least-connections over two servers, one ten times as slow, autocannon -c 100'),
      `  ${share.requests.toLocaleString('en')} requests, ${share.errors} errors; the slow server got ` +
        `${(share.slowShare * 100).toFixed(1)} %`,
    )
  }
  return lines.join('\n')
}

function bars(results: Results): string {
  const rows = judge(results).map((bar): Row => [
    bar.what,
    bar.limit,
    bar.found,
    bar.met === null ? '-' : bar.met ? 'pass' : 'FAIL',
  ])
  return [section('Bars'), table([['', 'bar', 'found', ''], ...rows])].join('\n')
}

function delays(byThread: Readonly<Record<string, number>>): string {
  const parts = Object.entries(byThread).map(([thread, ms]) => `${thread} ${ms.toFixed(1)} ms`)
  return parts.length === 0 ? 'none reported' : parts.join(', ')
}
