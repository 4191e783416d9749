/**
 * The serving threads: started, told of every change, restarted when one dies, drained at the end. A thread that dies
 * takes its own connections with it and nothing else: the others go on, its counts of what was under way are taken
 * back, and its successor begins with the table of that moment.
 */
import { randomBytes } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import type { Faults } from '../observe/fault.ts'
import type { Publisher } from '../control/publication/publisher.ts'
import type { Resolver } from '../dns/resolver.ts'
import type { Settings } from '../model/settings.ts'
import type { ListenerReport } from '../observe/reports/listener-report.ts'
import type { Log } from '../observe/log.ts'
import type { Shortages } from '../observe/shortages.ts'
import type { Scoreboard } from '../scoreboard/scoreboard.ts'
import { createListening } from './listening.ts'
import { createPulses } from './pulse.ts'
import type { FromThread, ThreadStart, ToThread } from './messages.ts'
import { createRestarts } from './restarts.ts'
import { createServingThread } from './serving-thread.ts'

export interface ThreadsOptions {
  readonly settings: Settings
  readonly scoreboard: Scoreboard
  readonly publisher: Publisher
  readonly resolver: Pick<Resolver, 'known' | 'listen' | 'touch'>
  readonly log: Log
  readonly faults: Pick<Faults, 'note'>
  readonly shortages: Pick<Shortages, 'note'>
  readonly writeLines: (lines: Uint8Array) => void
  /** The worker's entry; tests bring one that can be made to fail. */
  readonly entry?: URL
}

export interface Threads {
  start(): void
  /** From now on they are told of the table. */
  attach(): void
  /** Stops accepting and waits for what is under way, for `drainMs` at most; then ends the threads. */
  drain(drainMs: number): Promise<void>
  /** Whose forwarding fields are believed from now on. */
  trust(blocks: readonly string[]): void
  status(): ThreadsStatus
  /** For how long a thread's event loop was held up at most, in the last second or just now, ms. */
  stallMs(): number
  /** Listeners that are open, with their ports. */
  ports(): Readonly<Record<string, number>>
  /** How it stands with each listener that a thread knows of. */
  listeners(): readonly ListenerReport[]
}

export interface ThreadsStatus {
  readonly workers: Readonly<Record<'running' | 'restarting', number>>
  readonly restarts: number
  readonly eventLoopDelays: readonly { thread: string; p99Ms: number; maxMs: number }[]
}

/**
 * Two semi-spaces of 4 MB. V8's own choice grows to 55 MB while a table of 100,000 routes comes, and goes on holding some 40.
 * The smaller one costs requests nothing (medians of nine windows: 20.7 us against 22.9), and its collections are shorter.
 */
const YOUNG_GENERATION_MB = 12

/** One of them, whether a worker or in line. */
interface Running {
  send(message: ToThread): void
  terminate(): Promise<void>
  readonly drained: PromiseWithResolvers<void>
}

export function createThreads(options: ThreadsOptions): Threads {
  const { settings, scoreboard, publisher, resolver, log, faults, shortages, writeLines } = options
  const ticketKeys = randomBytes(48)
  const inLine = settings.workers === 0
  const pulses = createPulses(Math.max(1, settings.workers))
  const running = new Map<number, Running>()
  const listening = createListening(log, Date.now)
  const delays = new Map<number, { p99Ms: number; maxMs: number }>()
  const restartPauses = createRestarts()
  let ports: Readonly<Record<string, number>> = {}
  let restarts = 0
  let isAttached = false
  let { trusted } = settings
  let isDraining = false
  /** Threads that are to be told once `attach` is called. */
  const waiting: (() => void)[] = []

  function startOf(thread: number): ThreadStart {
    return {
      thread,
      memory: scoreboard.memory(),
      trusted,
      admin: settings.admin.address,
      access: settings.log.access,
      ticketKeys,
      reusePort: !inLine,
      pulses: inLine ? null : pulses.memory,
    }
  }

  function launch(thread: number): void {
    pulses.reset(thread)
    const begin = startOf(thread)
    const one = inLine ? launchInLine(begin) : launchWorker(begin)
    running.set(thread, one)
    const held = scoreboard.size
    const attach = (): void => {
      one.send({ kind: 'names', news: resolver.known() })
      publisher.attach({ thread, boardSize: held, deliver: (update) => one.send(update) })
    }
    if (isAttached) attach()
    else waiting.push(attach)
  }

  function launchInLine(begin: ThreadStart): Running {
    const drained = Promise.withResolvers<void>()
    const thread = createServingThread(begin, (message) => hear(begin.thread, drained, message))
    return {
      drained,
      send: (message) => thread.receive(message),
      terminate: () => Promise.resolve(thread.destroy()),
    }
  }

  function launchWorker(begin: ThreadStart): Running {
    const drained = Promise.withResolvers<void>()
    const worker = new Worker(options.entry ?? workerEntry(), {
      workerData: begin,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    })
    worker.on('message', (message: FromThread) => hear(begin.thread, drained, message))
    worker.on('error', (error) => {
      log.error({ err: error, thread: begin.thread }, 'a serving thread failed')
    })
    worker.on('exit', (code) => {
      drained.resolve()
      if (!isDraining) bury(begin.thread, code)
    })
    return {
      drained,
      send: (message) => worker.postMessage(message),
      terminate: async () => {
        await worker.terminate()
      },
    }
  }

  function hear(thread: number, drained: PromiseWithResolvers<void>, message: FromThread): void {
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
        const news = resolver.known(message.name)
        if (news.length > 0) running.get(thread)?.send({ kind: 'names', news })
        break
      }
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
      case 'drained':
        drained.resolve()
        break
      default:
        message satisfies never
    }
  }

  function bury(thread: number, code: number): void {
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

  resolver.listen((news) => {
    for (const one of running.values()) one.send({ kind: 'names', news })
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
      const timer = setTimeout(() => {
        // Without a time there was no drain: a start that failed, or `drain: 0s`.
        if (drainMs > 0) log.warn({ drainMs }, 'the drain took too long: what is left is cut')
        limit.resolve()
      }, drainMs)
      await Promise.race([all, limit.promise])
      clearTimeout(timer)
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
    listeners: () => listening.reports(),
  }
}

/** Beside this file: `.ts` from a checkout, `.js` in dist. */
function workerEntry(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url)
}
