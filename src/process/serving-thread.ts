/**
 * A gateway that is driven by messages: applies changes in order, sends acknowledgements, access log lines and faults. It runs
 * in a worker (worker.ts), or on the main thread with `workers: 0`.
 */
import './fast-strings.ts'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Update } from '../control/publication/publisher.ts'
import { resolveByMainThread, resolveNamesBy } from '../dns/dialing.ts'
import { Inheritance } from '../downstream/inheritance.ts'
import { Gateway } from '../gateway/gateway.ts'
import { writeErrorsAs } from '../http/message/local-response.ts'
import { NO_SOCKETS } from '../model/listening-socket.ts'
import type { Delta } from '../model/snapshot.ts'
import { createAccessLog } from '../observe/access-log.ts'
import type { FromThread, ThreadStart, ToThread } from './messages.ts'
import { startPulse } from './pulse.ts'
import { createTidy } from './tidy.ts'

export interface ServingThread {
  receive(message: ToThread): void
  /** Ends the remaining connections and timers. */
  destroy(): void
}

const REPORT_MS = 1_000
const RESOLUTION_MS = 10
const LOOK_MS = 20

export function createServingThread(
  start: ThreadStart,
  post: (message: FromThread) => void,
): ServingThread {
  writeErrorsAs(start.errorForm ?? 'sluice')
  const access = createAccessLog(start.access, (lines) => post({ kind: 'lines', lines }))
  const inherited = new Inheritance(start.inherited ?? NO_SOCKETS)
  const gateway = new Gateway({
    thread: start.thread,
    threads: start.threads,
    memory: start.memory,
    trusted: start.trusted,
    routeOrder: start.routeOrder,
    admin: start.admin,
    secret: Buffer.from(start.secret),
    ticketKeys: Buffer.from(start.ticketKeys),
    reusePort: start.reusePort,
    inherited,
    ...(start.ordersOnDemand === true
      ? { onCertificateWanted: (name) => post({ kind: 'certificate wanted', name }) }
      : {}),
    onRecord: start.access === 'off' ? null : (record) => access.write(record),
    onStream: start.access === 'off' ? null : (record) => access.writeStream(record),
    onNotice: (text) => post({ kind: 'notice', text }),
    onWake: (backend) => post({ kind: 'wake', backend }),
    onListenersTried: () => post({ kind: 'listeners', ...listening() }),
    onFault: postFault,
    onShortage: noteShortage,
  })
  // In line, it is the main thread's own.
  if (start.reusePort) {
    resolveNamesBy(resolveByMainThread(gateway.names, (name) => post({ kind: 'name', name })))
  }
  /** Counts since the last message, by code. */
  const shortages = new Map<string, number>()
  let applied = Promise.resolve()
  let lastNumber = 0
  /** The problem of the last change that could not be applied. */
  let fault: string | null = null

  function postFault(error: unknown, at: 'exchange' | 'apply'): void {
    post({ kind: 'fault', at, stack: stackOf(error) })
  }

  /** Sent immediately, and then once a second: there may be one for each request. */
  function noteShortage(code: string): void {
    const isFirst = shortages.size === 0
    shortages.set(code, (shortages.get(code) ?? 0) + 1)
    if (isFirst) postShortages()
  }

  function postShortages(): void {
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
    // The histogram has the time between two ticks: the delay is what exceeds the resolution.
    const delay = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS)
    post({ kind: 'loop', p99Ms: delay(loop.percentile(99)), maxMs: delay(loop.max) })
    loop.reset()
    postShortages()
  }, REPORT_MS)
  reporter.unref()
  const stopPulse = start.pulses === null ? null : startPulse(start.pulses, start.thread)
  const tidy = createTidy({ afterStart: true })
  let isFresh = true

  /**
   * One after another, with requests in between: a large change comes in many parts. A change that fails is acknowledged, too:
   * if it ended the thread, it would end the next one as well, with all their connections.
   */
  async function apply(update: Update): Promise<void> {
    try {
      await applyDelta(update)
    } catch (error) {
      fault = `table ${update.number} is not wholly in force in thread ${start.thread}: a fault of the proxy met it, see the log`
      postFault(error, 'apply')
    }
    lastNumber = update.number
    post({ kind: 'applied', ...listening() })
    await nextTurn()
  }

  async function applyDelta({ delta: text, added }: Update): Promise<void> {
    const delta = JSON.parse(text) as Delta
    if (isFresh && delta.upserts.listeners.length > 0) {
      // The first table is here, and no listener is open yet. Without workers the main thread also serves the admin.
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
          // Not queued: a request may wait for a name.
          gateway.names.apply(message.changes)
          break
        case 'trusted':
          gateway.trust(message.blocks)
          break
        case 'certificate refused':
          gateway.refuseCertificate(message.name)
          break
        case 'ticket keys':
          gateway.setTicketKeys(Buffer.from(message.keys))
          break
        case 'sockets':
          void applied.then(() =>
            post({ kind: 'sockets', sockets: [...gateway.live.sockets(), ...inherited.left()] }),
          )
          break
        case 'passed on':
          void applied.then(() => gateway.live.passOn())
          break
        case 'drop inherited':
          void applied.then(() => inherited.drop())
          break
        case 'drain':
          void applied.then(drain)
          break
        case 'cut':
          gateway.cut()
          access.flush()
          post({ kind: 'drained' })
          break
        default:
          message satisfies never
      }
    },
    destroy() {
      clearInterval(reporter)
      stopPulse?.()
      loop.disable()
      gateway.destroy()
      access.flush()
    },
  }
}

function stackOf(fault: unknown): string {
  return fault instanceof Error ? (fault.stack ?? fault.message) : String(fault)
}
