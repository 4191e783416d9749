/** The tables of the proxies of TCP. */
import { tcpCostOf } from '../bars.ts'
import { median as medianOf, readable, spreadOf } from '../figures.ts'
import type { TcpEntry, TcpResult } from '../scenarios/tcp.ts'
import { section, table, times, type Row } from '../table.ts'
import type { TcpKind, TcpSample } from './load.ts'

interface Figure {
  readonly title: string
  readonly kind: TcpKind
  /** From microseconds for one of what is counted. */
  readonly by: number
  readonly rate: { readonly title: string; readonly by: number }
}

const GIB_SECONDS = 1024 ** 3 / 1e6
const EACH = { title: 'a second', by: 1 }
const MIB = { title: 'MiB a second', by: 1 / 1024 ** 2 }
const FIGURES: readonly Figure[] = [
  { title: 'us/new connection', kind: 'connect', by: 1, rate: EACH },
  { title: 'us/exchange', kind: 'exchange', by: 1, rate: EACH },
  { title: 's/GiB from servers', kind: 'download', by: GIB_SECONDS, rate: MIB },
  { title: 's/GiB to servers', kind: 'upload', by: GIB_SECONDS, rate: MIB },
]

export function tcpTables(result: TcpResult | undefined): string {
  if (result === undefined) return ''
  const { entries, absent } = result
  const rows = FIGURES.flatMap((figure): Row[] => [
    [figure.title, 'median', 'min - max', 'x HAProxy', figure.rate.title],
    ...entries.map((entry) => rowOf(result, entry, figure)),
  ])
  const idle = entries.flatMap((entry): Row[] => {
    if (entry.idle === null) return [[entry.title, 'none held']]
    const { bytesPerConnection, connections, residentBytes } = entry.idle
    const mib = (residentBytes / 1024 ** 2).toFixed(0)
    return [
      [entry.title, readable(bytesPerConnection / 1024), connections.toLocaleString('en'), mib],
    ]
  })
  return [
    section('TCP: CPU of the proxy'),
    table(rows),
    ...absent.map((line) => `  left out: ${line}`),
    section('TCP: memory per idle connection'),
    table([['', 'KB/connection', 'connections', 'resident MB'], ...idle]),
  ].join('\n')
}

function rowOf(result: TcpResult, entry: TcpEntry, { kind, by, rate }: Figure): Row {
  const { median, min, max } = spreadOf(entry.samples[kind].map((one) => one.cpuMicrosEach * by))
  const reference = tcpCostOf(result, 'haproxy', kind)
  return [
    `  ${entry.title}`,
    readable(median),
    `${readable(min)} - ${readable(max)}`,
    times(median, reference === undefined ? undefined : reference * by),
    Math.round(medianOf(entry.samples[kind].map(perSecond)) * rate.by).toLocaleString('en'),
  ]
}

function perSecond({ done, seconds }: TcpSample): number {
  return done / seconds
}
