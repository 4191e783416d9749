/** Sends gauges to statsd by UDP, once a second. Lost datagrams are not noticed; a name is looked up again every minute. */
import { createSocket, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import type { Control } from '../control/control.ts'
import type { Publisher } from '../control/publication/publisher.ts'
import { addressOf } from '../dns/dialing.ts'
import { formatListenAddress } from '../model/address.ts'
import type { StatsdSettings } from '../model/settings.ts'
import { createCountsReader } from '../observe/metrics/series.ts'
import { createStatsdGauges, type StatsdObjects } from '../observe/metrics/statsd.ts'
import { SAMPLE_MS, TrafficWindows } from '../observe/reports/traffic-window.ts'
import type { Log } from '../observe/log.ts'
import { systemMs } from '../scoreboard/board-clock.ts'
import { COUNT, COUNTERS, SHARED } from '../scoreboard/layout.ts'
import type { Scoreboard } from '../scoreboard/scoreboard.ts'

export interface StatsdOptions {
  readonly settings: StatsdSettings
  readonly scoreboard: Scoreboard
  readonly publisher: Pick<Publisher, 'placed'>
  readonly control: Pick<Control, 'snapshot'>
  readonly log: Pick<Log, 'warn'>
}

const LOOK_UP_MS = 60_000

/** Returns what ends it. */
export function sendToStatsd(options: StatsdOptions): () => void {
  const { settings, scoreboard, log } = options
  const { host, port } = settings.address
  const readCounts = createCountsReader(scoreboard)
  const now = (): number => systemMs() - scoreboard.beganAt
  const windows = new TrafficWindows(readCounts, now)
  windows.take([])
  const gauges = createStatsdGauges(settings, windows)
  let socket: Socket | null = null
  let family = 0
  let address: string | null = null
  let lookedUpAt = -Infinity
  let isEnded = false
  let isBroken = false

  function note(error: unknown): void {
    if (isBroken || isEnded) return
    isBroken = true
    log.warn({ err: error, address: `${host}:${port}` }, 'cannot send metrics to statsd')
  }

  async function lookUp(): Promise<void> {
    if (now() - lookedUpAt < LOOK_UP_MS) return
    lookedUpAt = now()
    try {
      const found = await addressOf(host === '' ? '127.0.0.1' : host)
      isBroken = false
      address = found
    } catch (error) {
      note(error)
    }
  }

  function socketFor(target: string): Socket {
    const wanted = isIPv6(target) ? 6 : 4
    if (socket !== null && family === wanted) return socket
    socket?.close()
    family = wanted
    socket = createSocket(`udp${wanted}`)
    socket.on('error', note)
    socket.unref()
    return socket
  }

  function tick(): void {
    const datagrams = gauges.take(objectsOf(options, readCounts))
    void lookUp()
    if (address === null || isEnded) return
    const target = address
    const open = socketFor(target)
    for (const datagram of datagrams)
      open.send(datagram, port, target, (error) => {
        if (error !== null) note(error)
      })
  }

  void lookUp()
  const timer = setInterval(tick, SAMPLE_MS)
  timer.unref()
  return () => {
    isEnded = true
    clearInterval(timer)
    socket?.close()
  }
}

function objectsOf(
  { publisher, control, scoreboard }: StatsdOptions,
  readCounts: ReturnType<typeof createCountsReader>,
): StatsdObjects {
  const { frontends, listeners } = publisher.placed()
  const declared = control.snapshot().listeners
  const cells = new Float64Array(COUNTERS)
  return {
    frontends,
    listeners: [...listeners].flatMap(({ id, slot }) => {
      const listener = declared.get(id)
      if (listener === undefined) return []
      readCounts(slot, cells)
      return {
        id,
        address: formatListenAddress(listener.address),
        accepted: cells[COUNT.opened] ?? 0,
        open: scoreboard.shared(slot, SHARED.connections),
      }
    }),
  }
}
