/**
 * A gateway with a mouth and an ear: takes deltas in order, hands back acknowledgements, access log lines and faults.
 * Runs in a worker (worker.ts), or on the main thread with `workers: 0`.
 */
import './fast-strings.ts'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Update } from '../control/publication/publisher.ts'
import { askMainThread, resolveNamesBy } from '../dns/dialing.ts'
import { Gateway } from '../gateway/gateway.ts'
import type { Delta } from '../model/snapshot.ts'
import { logSharing } from '../middleware/ratelimit/shared-rates.ts'
import { createAccessLog } from '../observe/access-log.ts'
import type { FromThread, ThreadStart, ToThread } from './messages.ts'
import { beat } from './pulse.ts'
import { createTidy } from './tidy.ts'

export interface ServingThread {
  receive(message: ToThread): void
  /** Ends whatever is left. */
  destroy(): void
}

const REPORT_MS = 1_000
const RESOLUTION_MS = 10
const LOOK_MS = 20

export function createServingThread(
  start: ThreadStart,
  post: (message: FromThread) => void,
): ServingThread {
  const access = createAccessLog(start.access, (lines) => post({ kind: 'lines', lines }))
  const gateway = new Gateway({
    thread: start.thread,
    memory: start.memory,
    trusted: start.trusted,
    admin: start.admin,
    ticketKeys: Buffer.from(start.ticketKeys),
    reusePort: start.reusePort,
    onRecord: start.access === 'off' ? null : (record) => access.write(record),
    onListenersTried: () => post({ kind: 'listeners', ...listening() }),
    onFault: tellFault,
    onShortage: noteShortage,
  })
  // In line, it is the main thread's own.
  if (start.reusePort) {
    resolveNamesBy(askMainThread(gateway.names, (name) => post({ kind: 'name', name })))
  }
  logSharing((text) => post({ kind: 'notice', text }))
  /** Since they were told last, by code. */
  const shortages = new Map<string, number>()
  let applied = Promise.resolve()
  let lastNumber = 0
  /** A part of a change that came into force not at all. */
  let fault: string | null = null

  function tellFault(error: unknown, at: 'exchange' | 'apply'): void {
    post({ kind: 'fault', at, stack: stackOf(error) })
  }

  /** Told at once, and then each second: there may be one a request. */
  function noteShortage(code: string): void {
    const isFirst = shortages.size === 0
    shortages.set(code, (shortages.get(code) ?? 0) + 1)
    if (isFirst) tellShortages()
  }

  function tellShortages(): void {
    const met = Object.fromEntries(shortages)
    for (const code of shortages.keys()) shortages.set(code, 0)
    if (Object.values(met).some((times) => times > 0)) post({ kind: 'shortages', met })
    else shortages.clear()
  }

  function listening(): Omit<Extract<FromThread, { kind: 'listeners' }>, 'kind'> {
    const problems = fault === null ? gateway.problems() : [...gateway.problems(), fault]
    return {
      number: lastNumber,
      problems,
      listeners: gateway.listeners(),
      ports: gateway.ports(),
    }
  }

  const loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  loop.enable()
  const reporter = setInterval(() => {
    // The histogram counts from one tick to the next: what exceeds the resolution is delay.
    const delay = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS)
    post({ kind: 'loop', p99Ms: delay(loop.percentile(99)), maxMs: delay(loop.max) })
    loop.reset()
    tellShortages()
  }, REPORT_MS)
  reporter.unref()
  const endBeat = start.pulses === null ? null : beat(start.pulses, start.thread)
  const tidy = createTidy({ afterStart: true })
  let isFresh = true

  /**
   * One after another, and requests in between: a large delta comes in many parts. It is acknowledged also where it failed: a thread
   * that ended over a change would end over it again, and with it every connection.
   */
  async function apply(update: Update): Promise<void> {
    try {
      await bring(update)
    } catch (error) {
      fault = `table ${update.number} is not wholly in force in thread ${start.thread}: a fault of the proxy met it, see the log`
      tellFault(error, 'apply')
    }
    lastNumber = update.number
    post({ kind: 'applied', ...listening() })
    await nextTurn()
  }

  async function bring({ delta: text, added }: Update): Promise<void> {
    const delta = JSON.parse(text) as Delta
    if (isFresh && delta.upserts.listeners.length > 0) {
      // All but the listeners of the first table has come. Whoever is in line shares the main thread, and its admin.
      if (start.reusePort) tidy.now()
      isFresh = false
    }
    await gateway.apply(delta, added)
  }

  function drain(): void {
    gateway.drain()
    const look = setInterval(() => {
      if (gateway.connections > 0) return
      clearInterval(look)
      access.flush()
      post({ kind: 'drained' })
    }, LOOK_MS)
  }

  return {
    receive(message) {
      switch (message.kind) {
        case 'give up idle':
          gateway.giveUpIdle()
          break
        case 'delta':
          applied = applied.then(() => apply(message))
          break
        case 'names':
          // At once: a request may wait for one.
          gateway.names.hear(message.news)
          break
        case 'trusted':
          gateway.trust(message.blocks)
          break
        case 'drain':
          void applied.then(drain)
          break
        default:
          message satisfies never
      }
    },
    destroy() {
      clearInterval(reporter)
      endBeat?.()
      loop.disable()
      gateway.destroy()
      access.flush()
    },
  }
}

function stackOf(fault: unknown): string {
  return fault instanceof Error ? (fault.stack ?? fault.message) : String(fault)
}
