/**
 * Starts the serving threads, sends them changes, restarts one that dies, drains them at the end. A thread that dies loses its
 * own connections and nothing else: the others continue, its shared counts are subtracted, and its successor starts with the
 * table in force.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Faults } from '../observe/fault.ts'
import type { Publisher } from '../control/publication/publisher.ts'
import type { Resolver } from '../dns/resolver.ts'
import {
  dealSockets,
  type InheritedSockets,
  type ListeningSocket,
} from '../model/listening-socket.ts'
import type { Settings } from '../model/settings.ts'
import type { ListenerReport } from '../observe/reports/listener-report.ts'
import type { Log } from '../observe/log.ts'
import type { Shortages } from '../observe/shortages.ts'
import type { Scoreboard } from '../scoreboard/scoreboard.ts'
import { createListening } from './listening.ts'
import { createTicketKeys } from './ticket-keys.ts'
import { createPulses } from './pulse.ts'
import type { FromThread, ThreadStart, ToThread } from './messages.ts'
import { createRestarts } from './restarts.ts'
import type { createServingThread } from './serving-thread.ts'
import type { Workers } from './workers.ts'

export interface ThreadsOptions {
  readonly settings: Settings
  readonly scoreboard: Scoreboard
  readonly publisher: Publisher
  readonly resolver: Pick<Resolver, 'known' | 'listen' | 'touch'>
  readonly log: Log
  readonly faults: Pick<Faults, 'note'>
  readonly shortages: Pick<Shortages, 'note'>
  readonly writeLines: (lines: Uint8Array) => void
  readonly workers: Pick<Workers, 'take'>
  /** Listening sockets that the program has inherited. */
  readonly inherited: readonly ListeningSocket[]
  /** Of the predecessor, base64; null: there is none. */
  readonly secrets: Secrets | null
  /** Has a certificate ordered for a name that clients wait for, if it may be; absent: none is. Resolves to whether it is there. */
  readonly orderCertificate?: ((name: string) => Promise<boolean>) | undefined
  /** Requests wait for a server of this backend, which scales from zero; absent: nothing scales. */
  readonly onWake?: ((backend: string) => void) | undefined
  /** Serves on this thread; null if workers serve. It is passed, so that a main thread with workers loads no gateway. */
  readonly serveInLine: typeof createServingThread | null
}

export interface Secrets {
  readonly secret: string
  readonly ticketKeys: string
}

export interface Threads {
  start(): void
  /** Sends the table, and each change from now on. */
  attach(): void
  /** Stops accepting and waits at most `drainMs` for exchanges in flight; then ends the threads. */
  drain(drainMs: number): Promise<void>
  /** Sets the peers whose forwarding headers are trusted. */
  trust(blocks: readonly string[]): void
  status(): ThreadsStatus
  /** The longest stall of a thread's event loop during the last second, ms. */
  stallMs(): number
  /** Listeners that are open, with their ports. */
  ports(): Readonly<Record<string, number>>
  secrets(): Secrets
  /** A successor goes on with the sockets. Called before `drain`. */
  passOn(): void
  /** Closes inherited sockets whose listener is no more: connections would wait in them. */
  dropInherited(): void
  /** All listening sockets, for a successor of this program. */
  sockets(): Promise<readonly ListeningSocket[]>
  /** The state of each listener that a thread knows. */
  listeners(): readonly ListenerReport[]
}

export interface ThreadsStatus {
  readonly workers: Readonly<Record<'running' | 'restarting', number>>
  readonly restarts: number
  readonly eventLoopDelays: readonly { thread: string; p99Ms: number; maxMs: number }[]
}

/** For the responses and log lines of requests that a drain has ended. */
const CUT_WITHIN_MS = 500
/** A thread that does not respond keeps its sockets. */
const SOCKETS_WITHIN_MS = 2_000
/** From an order to its certificate in every thread. Clients who wait longer get what there is. */
const IN_FORCE_MS = 10_000

/** A serving thread: a worker, or the main thread with `workers: 0`. */
interface Running {
  send(message: ToThread): void
  terminate(): Promise<void>
  readonly drained: PromiseWithResolvers<void>
  /** Of the last `sockets`. */
  sockets: PromiseWithResolvers<readonly ListeningSocket[]>
}

export function createThreads(options: ThreadsOptions): Threads {
  const { settings, scoreboard, publisher, resolver, log, faults, shortages, writeLines } = options
  const { workers, serveInLine } = options
  const secret = Buffer.from(
    options.secrets?.secret ?? randomBytes(48).toString('base64'),
    'base64',
  )
  const ticketKeys = createTicketKeys({
    secret: settings.ticketSecret,
    first: options.secrets?.ticketKeys ?? null,
    now: Date.now,
    onChange(keys) {
      for (const one of running.values()) one.send({ kind: 'ticket keys', keys })
    },
  })
  const pulses = createPulses(Math.max(1, settings.workers))
  const running = new Map<number, Running>()
  const listening = createListening(log, Date.now)
  const delays = new Map<number, { p99Ms: number; maxMs: number }>()
  const restartPauses = createRestarts()
  const inherited: (InheritedSockets | undefined)[] = dealSockets(
    options.inherited,
    Math.max(1, settings.workers),
  )
  let ports: Readonly<Record<string, number>> = {}
  let restarts = 0
  let isAttached = false
  let { trusted } = settings
  let isDraining = false
  /** What `attach` calls: it comes after the first threads were started. */
  const waiting: (() => void)[] = []

  function startOf(thread: number): ThreadStart {
    return {
      thread,
      threads: Math.max(1, settings.workers),
      memory: scoreboard.memory(),
      trusted,
      routeOrder: settings.routing.order,
      errorForm: settings.errors.form,
      admin: settings.admin.address,
      access: settings.log.access,
      secret,
      ticketKeys: ticketKeys.current(),
      ordersOnDemand: options.orderCertificate !== undefined,
      reusePort: serveInLine === null,
      ...takeInherited(thread),
      pulses: serveInLine === null ? pulses.memory : null,
    }
  }

  /** A thread that is started again has none: they were closed with the one before. */
  function takeInherited(thread: number): Pick<ThreadStart, 'inherited'> {
    const [mine] = inherited.splice(thread, 1, undefined)
    return mine === undefined ? {} : { inherited: mine }
  }

  function launch(thread: number): void {
    pulses.reset(thread)
    const begin = startOf(thread)
    const one = serveInLine === null ? launchWorker(begin) : launchInLine(begin, serveInLine)
    running.set(thread, one)
    const held = scoreboard.size
    const attach = (): void => {
      one.send({ kind: 'names', changes: resolver.known() })
      publisher.attach({ thread, boardSize: held, deliver: (update) => one.send(update) })
    }
    if (isAttached) attach()
    else waiting.push(attach)
  }

  function launchInLine(begin: ThreadStart, serve: typeof createServingThread): Running {
    const drained = Promise.withResolvers<void>()
    const thread = serve(begin, (message) => receive(begin.thread, drained, message))
    return {
      drained,
      sockets: Promise.withResolvers(),
      send: (message) => thread.receive(message),
      terminate: () => Promise.resolve(thread.destroy()),
    }
  }

  function launchWorker(begin: ThreadStart): Running {
    const drained = Promise.withResolvers<void>()
    const worker = workers.take()
    worker.postMessage(begin)
    worker.on('message', (message: FromThread) => receive(begin.thread, drained, message))
    worker.on('error', (error) => {
      log.error({ err: error, thread: begin.thread }, 'a serving thread failed')
    })
    worker.on('exit', (code) => {
      drained.resolve()
      if (!isDraining) restart(begin.thread, code)
    })
    return {
      drained,
      sockets: Promise.withResolvers(),
      send: (message) => worker.postMessage(message),
      terminate: async () => {
        await worker.terminate()
      },
    }
  }

  function receive(thread: number, drained: PromiseWithResolvers<void>, message: FromThread): void {
    switch (message.kind) {
      case 'applied':
        ports = message.ports
        listening.note(thread, message.listeners)
        restartPauses.serves(thread, performance.now())
        publisher.acknowledge(thread, message.number, message.problems)
        break
      case 'listeners':
        ports = message.ports
        listening.note(thread, message.listeners)
        publisher.report(thread, message.problems)
        break
      case 'lines':
        writeLines(message.lines)
        break
      case 'name': {
        resolver.touch(message.name)
        const changes = resolver.known(message.name)
        if (changes.length > 0) running.get(thread)?.send({ kind: 'names', changes })
        break
      }
      case 'certificate wanted':
        void orderFor(message.name)
        break
      case 'wake':
        options.onWake?.(message.backend)
        break
      case 'notice':
        log.warn({ thread }, message.text)
        break
      case 'fault':
        faults.note(
          message.at,
          message.at === 'exchange'
            ? 'ended an exchange'
            : `keeps a change from being applied in thread ${thread}`,
          message.stack,
        )
        break
      case 'shortages':
        for (const [code, times] of Object.entries(message.met)) shortages.note(code, times)
        for (const [other, one] of running) if (other !== thread) one.send({ kind: 'give up idle' })
        break
      case 'loop':
        delays.set(thread, message)
        break
      case 'sockets':
        running.get(thread)?.sockets.resolve(message.sockets)
        break
      case 'drained':
        drained.resolve()
        break
      default:
        message satisfies never
    }
  }

  /** Clients go on when the certificate comes into force, and without it if it does not. */
  async function orderFor(name: string): Promise<void> {
    const isThere = (await options.orderCertificate?.(name).catch(() => false)) ?? false
    if (isThere) await delay(IN_FORCE_MS, undefined, { ref: false })
    for (const one of running.values()) one.send({ kind: 'certificate refused', name })
  }

  function restart(thread: number, code: number): void {
    running.delete(thread)
    delays.delete(thread)
    listening.forget(thread)
    publisher.detach(thread)
    scoreboard.forgetThread(thread)
    restarts++
    const pauseMs = restartPauses.died(thread, performance.now())
    log.error({ thread, code, pauseMs }, 'a serving thread has ended and is started again')
    setTimeout(() => {
      if (!isDraining) launch(thread)
    }, pauseMs)
  }

  resolver.listen((changes) => {
    for (const one of running.values()) one.send({ kind: 'names', changes })
  })

  return {
    start() {
      for (let thread = 0; thread < Math.max(1, settings.workers); thread++) launch(thread)
    },
    attach() {
      isAttached = true
      for (const attach of waiting.splice(0)) attach()
    },
    async drain(drainMs) {
      isDraining = true
      for (const one of running.values()) one.send({ kind: 'drain' })
      const all = Promise.all([...running.values()].map(({ drained }) => drained.promise))
      const limit = Promise.withResolvers<void>()
      ticketKeys.stop()
      const timer = setTimeout(() => {
        // Without a time there is no drain: the start has failed, or `drain: 0s`.
        if (drainMs > 0) log.warn({ drainMs }, 'the drain took too long: what is left is cut')
        limit.resolve()
      }, drainMs)
      await Promise.race([all, limit.promise])
      clearTimeout(timer)
      if (drainMs > 0) {
        for (const one of running.values()) one.send({ kind: 'cut' })
        await Promise.race([all, delay(CUT_WITHIN_MS, undefined, { ref: false })])
      }
      await Promise.all([...running.values()].map((one) => one.terminate()))
    },
    trust(blocks) {
      trusted = blocks
      for (const one of running.values()) one.send({ kind: 'trusted', blocks })
    },
    status: () => ({
      workers: {
        running: running.size,
        restarting: Math.max(1, settings.workers) - running.size,
      },
      restarts,
      eventLoopDelays: [...delays].map(([thread, { p99Ms, maxMs }]) => ({
        thread: String(thread),
        p99Ms,
        maxMs,
      })),
    }),
    stallMs() {
      let longest = 0
      for (const thread of running.keys()) {
        longest = Math.max(longest, delays.get(thread)?.maxMs ?? 0, pulses.stallOf(thread))
      }
      return longest
    },
    ports: () => ports,
    passOn() {
      for (const one of running.values()) one.send({ kind: 'passed on' })
    },
    dropInherited() {
      for (const one of running.values()) one.send({ kind: 'drop inherited' })
    },
    secrets: () => ({
      secret: secret.toString('base64'),
      ticketKeys: ticketKeys.current().toString('base64'),
    }),
    async sockets() {
      const found = [...running.values()].map((one) => {
        one.sockets = Promise.withResolvers()
        one.send({ kind: 'sockets' })
        const late = delay(SOCKETS_WITHIN_MS, [], { ref: false })
        return Promise.race([one.sockets.promise, late])
      })
      // An inherited unix socket without a listener is in those of each thread.
      const all = (await Promise.all(found)).flat()
      return [...new Map(all.map((socket) => [socket.fd, socket])).values()]
    },
    listeners: () => listening.reports(),
  }
}
