/** The running program, from its resolved settings to its end: it opens its parts in order, and closes them after a signal. */
import { setTimeout as delay } from 'node:timers/promises'
import { createEventLog } from '../admin/event-log.ts'
import { createAdmission } from '../control/admission/admit.ts'
import { type Control, createControl } from '../control/control.ts'
import { readLocalAddresses } from '../dns/local-addresses.ts'
import { createFaults } from '../observe/fault.ts'
import { createHealthMonitor } from '../health/health-monitor.ts'
import { createProbe } from '../health/probe.ts'
import { sendHook } from '../health/web-hook.ts'
import { createPublisher, type Publisher } from '../control/publication/publisher.ts'
import { logNames } from '../health/log-names.ts'
import { createNameExpansion } from '../control/publication/name-expansion.ts'
import { keepNamesResolved } from '../control/publication/resolve-names.ts'
import { resolveNamesBy } from '../dns/dialing.ts'
import { createLookup } from '../dns/lookup.ts'
import { openResolver } from '../dns/open-resolver.ts'
import type { Listener } from '../model/snapshot.ts'
import type { ResolvedSettings, SettingSources } from '../schema/resolve-settings.ts'
import type { Settings } from '../model/settings.ts'
import { createLog } from '../observe/log.ts'
import { createShortages } from '../observe/shortages.ts'
import { openSink } from '../observe/sink.ts'
import { openBoardClock, systemMs } from '../scoreboard/board-clock.ts'
import { Scoreboard } from '../scoreboard/scoreboard.ts'
import { createLiveSettings } from './live-settings.ts'
import { openAcme } from './acme.ts'
import { openAdmin, type OpenedAdmin } from './open-admin.ts'
import { listenForSignals } from './signals.ts'
import type { LogForm } from '../observe/log-forms.ts'
import type { BaseConfiguration } from './base.ts'
import { openSources, readBesideSources } from './sources.ts'
import { problemOfPort } from './taken-port.ts'
import { createThreads, type Threads } from './threads.ts'
import { createTidy } from './tidy.ts'
import type { Workers } from './workers.ts'

/** How long a stop waits for the last good snapshots: the disk may hang. */
const SAVE_WITHIN_MS = 5000
const POLL_MS = 100

export interface RunOptions {
  /** Relative paths start there. */
  readonly config: string
  /** Whether it is a configuration of Sluice, and a source. */
  readonly hasFile: boolean
  readonly version: string
  /** The settings at start. */
  readonly started: ResolvedSettings
  /** Adds flags and environment variables, which have precedence over the file. */
  readonly resolve: (document: SettingSources['document']) => ResolvedSettings
  readonly workers: Workers
  /** Null: there is only the file. */
  readonly base: BaseConfiguration | null
  /**
   * The admin opens last, when requests are served, and a source that can be neither read nor restored from its last good
   * snapshot ends the start.
   */
  readonly isStrict: boolean
  /** Missing: as pino writes it. */
  readonly logForm?: LogForm
}

/** Resolves with the exit code after a drain. Rejects if the program could not start. */
export async function run(options: RunOptions): Promise<number> {
  const { config, hasFile, version, started, resolve, workers, base, isStrict } = options
  const { settings, problems } = started
  const sink = openSink(settings.log.path)
  const log = createLog(settings.log.level, sink, options.logForm)
  for (const problem of problems) log.warn({ problem }, problem.message)
  let reload = (): void => {}
  const signals = listenForSignals(
    () => reload(),
    () => sink.reopen(),
  )
  const live = createLiveSettings({
    filename: config,
    started,
    resolve,
    onChange({ log: { level }, trusted }) {
      log.setLevel(level)
      threads.trust(trusted)
    },
    log,
  })
  const scoreboard = new Scoreboard(Math.max(1, settings.workers), systemMs())
  const faults = createFaults(log, () => performance.now())
  const shortages = createShortages(log, () => performance.now())
  const publisher = createPublisher(scoreboard, { onFault: faults.at('publish') })
  const resolver = openResolver(settings.resolver, (message) => log.warn({}, message))
  const lookup = createLookup(resolver)
  keepNamesResolved(publisher, resolver)
  resolveNamesBy(resolver.addressesOf)
  logNames(resolver, log, () => performance.now())
  const events = createEventLog()
  const health = createHealthMonitor({
    scoreboard,
    publisher,
    log,
    now: () => performance.now(),
    boardNow: openBoardClock(scoreboard.beganAt),
    date: Date.now,
    random: Math.random,
    stallOfThreads: () => threads.stallMs(),
    onFault: faults.at('guard'),
    onShortage: (code) => shortages.note(code, 1),
    probe: createProbe(version, lookup),
    resolution: (host) => resolver.report(host),
    doubt: resolver.doubt,
    onState: events.add,
    sendHook: (hook, how) => sendHook(hook, { ...how, lookup }),
  })
  const ordered = await openAcme(config, settings, {
    challenge: (challenges) => control.challenge(challenges),
    log,
    onProblems: () => control.noteProblems(),
  })
  const acme = ordered?.acme ?? null
  const sources = await openSources(config, hasFile, settings, base)
  const control = createControl({
    sources: ordered === null ? sources : [...sources, ordered.source],
    startMs: settings.startMs,
    routeOrder: settings.routing.order,
    admission: createAdmission({
      readFile: readBesideSources(config, settings),
      admin: settings.admin.address,
      adminSocket: settings.admin.socket,
      localAddresses: readLocalAddresses,
      trusted: () => live.current().trusted,
      now: Date.now,
      ordersCertificates: acme !== null,
      onFault: faults.at('admit'),
    }),
    publisher,
    onProblem: (problem, isResolved) => events.add(isResolved ? 'resolved' : 'problem', problem),
    problemsBeside: () => acme?.problems() ?? [],
    names: createNameExpansion(publisher, resolver, () => performance.now()),
    log,
    onFault: faults.at('admit'),
    onSettings: live.take,
  })
  // Without workers, requests would wait for a collection on the main thread.
  const tidy = settings.workers > 0 ? createTidy({ afterStart: true }) : null
  publisher.listen({
    onPublished: (_number, changes) => acme?.take(changes),
    onInForce: () => tidy?.soon(),
  })
  const writeLines = (lines: Uint8Array): void => sink.write(lines)
  const threads = createThreads({
    settings,
    scoreboard,
    publisher,
    resolver,
    log,
    faults,
    shortages,
    writeLines,
    workers,
    orderCertificate: ordered?.orderOnDemand,
    serveInLine:
      settings.workers === 0 ? (await import('./serving-thread.ts')).createServingThread : null,
  })
  const stopStatsd =
    settings.statsd === null
      ? null
      : (await import('./statsd.ts')).sendToStatsd({
          settings: settings.statsd,
          ...{ scoreboard, publisher, control, log },
        })
  reload = (): void => {
    log.info({}, 'reloading')
    control.reload()
  }
  let state: 'starting' | 'ready' | 'draining' = 'starting'
  let admin: OpenedAdmin | null = null
  /** A signal may arrive during any `await`. */
  const isStopping = (): boolean => state === 'draining'

  async function start(): Promise<void> {
    // The threads load their code while the sources are read.
    threads.start()
    health.start()
    resolver.start()
    const parts = {
      version,
      config,
      events,
      access: () => live.current().admin,
      settings,
      scoreboard,
      publisher,
      health,
      control,
      acme,
      threads,
      resolver,
      sink,
      log,
      faults,
      shortages,
    }
    async function open(): Promise<OpenedAdmin | null> {
      const opened = await openAdmin(parts, () => state)
      if (!isStopping()) return opened
      await opened.close()
      return null
    }
    await control.open()
    if (!isStrict) admin = await open()
    await control.start()
    if (isStopping()) return
    if (isStrict) requireSources(control)
    const listeners = [...control.listeners()]
    if (listeners.length === 0) {
      if (!mayWait(settings)) throw new Error(noListener(publisher, control))
      log.warn({}, 'no listener is declared yet: waiting for the sources')
      // The API may declare one.
      admin ??= await open()
    }
    const taken = settings.workers > 0 ? await findTakenPorts(listeners) : new Map<string, string>()
    if (isStopping()) return
    threads.attach()
    const ports = await firstPorts()
    if (isStopping()) return
    for (const { id, listening } of threads.listeners()) {
      const problem = taken.get(id)
      // Two programs that both set reusePort can share a port.
      if (listening && problem !== undefined)
        log.error({ listener: id }, `${problem}; both take connections`)
    }
    admin ??= await open()
    if (admin === null || isStopping()) return
    state = 'ready'
    acme?.begin()
    const fields = { ports, admin: admin.address, workers: settings.workers, version }
    log.info(fields, 'serving')
    admin.loadMetrics()
  }

  /** Waits for the first table that opens a listener: a registry may declare one later. */
  async function firstPorts(): Promise<ReturnType<Threads['ports']>> {
    await publisher.whenInForce(1)
    for (;;) {
      if (threads.listeners().some(({ at }) => at !== null) || isStopping()) return threads.ports()
      if (!mayWait(settings)) throw new Error(noListener(publisher, control))
      // Another table may open one, or a port may become free.
      await delay(POLL_MS)
    }
  }

  /** Problems of ports in use, by listener. Throws if every listener has one. */
  async function findTakenPorts(
    listeners: readonly Listener[],
  ): Promise<ReadonlyMap<string, string>> {
    const problems = new Map<string, string>()
    await Promise.all(
      listeners.map(async (listener) => {
        const problem = await problemOfPort(listener)
        if (problem !== null) problems.set(listener.id, problem)
      }),
    )
    if (problems.size > 0 && problems.size === listeners.length)
      throw new Error([...problems.values()].join('; '))
    return problems
  }

  async function stop(drainMs: number): Promise<void> {
    state = 'draining'
    tidy?.stop()
    // Saving delays no client, and the stop for a limited time only.
    const saved = control.stop()
    const acmeStopped = acme?.stop()
    const healthStopped = health.stop()
    // Those that fail do so where they are awaited, and do not cut the drain short.
    for (const one of [saved, acmeStopped, healthStopped]) one?.catch(() => {})
    resolver.stop()
    resolveNamesBy(null)
    await threads.drain(drainMs)
    await Promise.race([saved, delay(SAVE_WITHIN_MS, undefined, { ref: false })])
    await healthStopped
    await acmeStopped
    publisher.stop()
    stopStatsd?.()
    await admin?.close()
  }

  try {
    // A signal may arrive before the first table is in force.
    const started = start()
    const early = await Promise.race([started, signals.stop])
    const signal = early ?? (await signals.stop)
    log.info({ signal }, 'draining')
    started.catch(() => {})
  } catch (error) {
    await stop(0)
    await sink.close()
    throw error
  }
  await stop(live.current().drainMs)
  log.info({}, 'stopped')
  if (!(await sink.close())) process.exit(0)
  return 0
}

/** A required source that cannot be read now may declare a listener later; the file alone cannot. */
function mayWait({ sources }: Settings): boolean {
  return sources.some(({ required }) => required)
}

/** Throws with the reason of each required source that has declared nothing. */
function requireSources(control: Control): void {
  const missing = control
    .sources()
    .filter(({ required, revision }) => required && revision === null)
  if (missing.length === 0) return
  const reasons = missing.map(({ name, error }) => `${name}: ${error ?? 'it does not respond'}`)
  throw new Error(`cannot read ${reasons.join('; ')}`)
}

function noListener(publisher: Publisher, control: Control): string {
  const reasons = [
    ...publisher.threadProblems(),
    ...control.setAside().map(({ kind, id, message }) => `${kind} "${id}": ${message}`),
  ]
  return reasons.length > 0
    ? `no listener is open: ${reasons.join('; ')}`
    : 'no listener is declared: add one under "listeners", such as web: { address: 127.0.0.1:8080 }'
}
