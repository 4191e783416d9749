/**
 * Gauges for statsd, by the names of vulcand: once a second what frontends did during the last ten seconds, and the connections of
 * listeners. They are read from the scoreboard on the main thread; a request pays nothing for them.
 */
import { COUNT } from '../../scoreboard/layout.ts'
import { latencyAt, totalOf, type TrafficWindows } from '../reports/traffic-window.ts'

/** A datagram that fits a packet of Ethernet, as vulcand's. */
const MOST_BYTES = 1440
const QUANTILES = [50, 75, 95, 99, 99.9]

export interface StatsdForm {
  /** '' for none. */
  readonly prefix: string
  /** Ids are tags (of DogStatsD) instead of parts of names. */
  readonly tags: boolean
}

export interface StatsdObjects {
  readonly frontends: Iterable<{
    readonly id: string
    readonly slot: number
    readonly isStream: boolean
  }>
  /** `accepted`: so far; `open`: now. */
  readonly listeners: Iterable<{
    readonly id: string
    readonly address: string
    readonly accepted: number
    readonly open: number
  }>
}

export interface StatsdGauges {
  /** Takes a sample and returns the datagrams to send. */
  take(objects: StatsdObjects): readonly string[]
}

export function createStatsdGauges(
  { prefix, tags }: StatsdForm,
  windows: TrafficWindows,
): StatsdGauges {
  const begin = prefix === '' || prefix.endsWith('.') ? prefix : `${prefix}.`
  /** Frontends whose last gauges were not 0: a gauge stays until another value comes. */
  let shown = new Map<string, readonly string[]>()
  const accepted = new Map<string, { readonly count: number; readonly open: number }>()

  function line(kind: string, label: string, id: string, name: string, value: number): string {
    return tags
      ? `${begin}${kind}.${name}:${value}|g|#${label}:${tagValue(id)}`
      : `${begin}${kind}.${id}.${name}:${value}|g`
  }

  function ofFrontend(counts: Float64Array): Map<string, number> {
    const gauges = new Map<string, number>()
    for (let status = 1; status <= 5; status++) {
      const count = counts[COUNT.status + status] ?? 0
      if (count > 0) gauges.set(`code.${status * 100}`, count)
    }
    gauges.set('neterr', counts[COUNT.status] ?? 0)
    gauges.set('reqs', totalOf(counts))
    for (const quantile of QUANTILES)
      gauges.set(`rtt.${quantile * 10}`, latencyAt(counts, quantile / 100))
    return gauges
  }

  function takeFrontends(objects: StatsdObjects['frontends']): string[] {
    const lines: string[] = []
    const next = new Map<string, readonly string[]>()
    for (const { id, slot, isStream } of objects) {
      if (isStream) continue
      const { counts } = windows.of(slot)
      const before = shown.get(id) ?? []
      shown.delete(id)
      if (totalOf(counts) === 0 && before.length === 0) continue
      const gauges = ofFrontend(counts)
      for (const name of before) if (!gauges.has(name)) gauges.set(name, 0)
      const part = tags ? id : plain(id.replaceAll('.', '_'))
      for (const [name, value] of gauges)
        lines.push(line('frontend', 'frontend', part, name, value))
      if (totalOf(counts) > 0) next.set(id, [...gauges.keys()])
    }
    // Those that were removed.
    for (const [id, names] of shown) {
      const part = tags ? id : plain(id.replaceAll('.', '_'))
      for (const name of names) lines.push(line('frontend', 'frontend', part, name, 0))
    }
    shown = next
    return lines
  }

  function takeListeners(objects: StatsdObjects['listeners']): string[] {
    const lines: string[] = []
    const known = new Set<string>()
    for (const { id, address, accepted: count, open } of objects) {
      known.add(id)
      const before = accepted.get(id) ?? { count, open }
      accepted.set(id, { count, open })
      const fresh = Math.max(0, count - before.count)
      const closed = Math.max(0, before.open + fresh - open)
      const part = tags ? address : plain(address)
      for (const [name, value] of Object.entries({ new: fresh, active: open, closed }))
        lines.push(line('conns', 'listener', part, name, value))
    }
    for (const id of accepted.keys()) if (!known.has(id)) accepted.delete(id)
    return lines
  }

  return {
    take({ frontends, listeners }) {
      const all = [...frontends]
      windows.take(all.filter(({ isStream }) => !isStream).map(({ slot }) => slot))
      const lines = [...takeListeners(listeners), ...takeFrontends(all)]
      return toDatagrams(lines)
    },
  }
}

/** As vulcand's client escapes parts of names. */
function plain(text: string): string {
  return text.replace(/[^A-Za-z0-9_.]/g, '_')
}

/** What has a meaning in a line would end the value. */
function tagValue(text: string): string {
  return text.replace(/[^!-~]|[,|#]/g, '_')
}

/** Lines, joined by line feeds. A line of its own is never longer than an id allows. */
export function toDatagrams(lines: readonly string[]): readonly string[] {
  const datagrams: string[] = []
  let current = ''
  for (const one of lines) {
    if (current !== '' && current.length + 1 + one.length > MOST_BYTES) {
      datagrams.push(current)
      current = ''
    }
    current = current === '' ? one : `${current}\n${one}`
  }
  if (current !== '') datagrams.push(current)
  return datagrams
}
