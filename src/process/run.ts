/** The running program, from its resolved settings to its end: it opens its parts in order, and closes them after a signal. */
import { setTimeout as delay } from 'node:timers/promises'
import { createEventLog } from '../admin/event-log.ts'
import { createAdmission } from '../control/admission/admit.ts'
import { createControl } from '../control/control.ts'
import { readLocalAddresses } from '../dns/local-addresses.ts'
import { createFaults } from '../observe/fault.ts'
import { createHealthMonitor } from '../health/health-monitor.ts'
import { createProbe } from '../health/probe.ts'
import { sendHook } from '../health/web-hook.ts'
import { createPublisher } from '../control/publication/publisher.ts'
import { logNames } from '../health/log-names.ts'
import { createNameExpansion } from '../control/publication/name-expansion.ts'
import { keepNamesResolved } from '../control/publication/resolve-names.ts'
import { resolveNamesBy } from '../dns/dialing.ts'
import { createLookup } from '../dns/lookup.ts'
import { openResolver } from '../dns/open-resolver.ts'
import { isFor } from '../model/listening-socket.ts'
import type { Listener } from '../model/snapshot.ts'
import type { ResolvedSettings, SettingSources } from '../schema/resolve-settings.ts'
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
import { openScaling, programsOf } from './scaling.ts'
import { findTakenPorts } from './taken-port.ts'
import { openTemplates } from './rendering.ts'
import { mayWait, noListener, requireSources } from './start-conditions.ts'
import { createThreads, type Threads } from './threads.ts'
import { createTidy } from './tidy.ts'
import type { DataFolder } from './data-lock.ts'
import type { PidFile } from './pid-file.ts'
import type { Activation } from './systemd/activation.ts'
import { openServiceManager } from './systemd/notify.ts'
import { sortSockets, unusedSockets } from './upgrade/inherited.ts'
import type { Predecessor } from './upgrade/predecessor.ts'
import { commandOf } from './upgrade/program.ts'
import { refuseEmptySources, refuseLostObjects, untilProbed } from './upgrade/ready-to-replace.ts'
import type { Successor } from './upgrade/successor.ts'
import { createUpgrades } from './upgrade/upgrades.ts'
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
  readonly data: DataFolder
  /** Null: the program is started, and replaces no other. */
  readonly predecessor: Predecessor | null
  readonly activation: Activation
  readonly pidFile: PidFile
}

/** Resolves with the exit code after a drain. Rejects if the program could not start. */
export async function run(options: RunOptions): Promise<number> {
  const { config, hasFile, version, started, resolve, workers, base, isStrict } = options
  const { data, predecessor, activation, pidFile } = options
  const { settings, problems } = started
  const sink = openSink(settings.log.path)
  const log = createLog(settings.log.level, sink, options.logForm)
  for (const problem of problems) log.warn({ problem }, problem.message)
  let reload = (): void => {}
  let state: 'starting' | 'ready' | 'draining' = 'starting'
  let admin: OpenedAdmin | null = null
  const signals = listenForSignals({
    reload: () => reload(),
    reopen: () => sink.reopen(),
    upgrade: () => upgrades.begin(),
  })
  for (const problem of activation.problems) log.warn({}, problem)
  const given = predecessor?.sockets ?? activation.sockets
  const inherited = sortSockets(given, settings.admin)
  const manager = openServiceManager({
    env: process.env,
    pid: process.pid,
    complain: (text) => log.error({}, text),
  })
  const upgrades = createUpgrades({
    pid: process.pid,
    uid: process.getuid?.() ?? -1,
    data: settings.data,
    env: process.env,
    commandOf: (to) => commandOf(process, to),
    refusal: () => (state === 'ready' ? null : `this program is ${state}`),
    sockets: async () => [...(admin?.sockets() ?? []), ...(await threads.sockets())],
    secrets: () => threads.secrets(),
    lastGood: () => control.setAside().filter(({ serving }) => serving),
    // Scripts end vulcand while its child starts, which serves on. systemd stops the service, and not one process.
    outlivesStop: isStrict && !manager.isThere,
    log,
  })
  const live = createLiveSettings({
    filename: config,
    started,
    resolve,
    onChange({ log: { level }, trusted, templates: changed }) {
      log.setLevel(level)
      threads.trust(trusted)
      templates.set(changed)
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
  const templates = openTemplates({ config, settings, publisher, health, resolver, events, log })
  const ordered = await openAcme(config, settings, {
    challenge: (challenges) => control.challenge(challenges),
    log,
    onProblems: () => control.noteProblems(),
    owned: data.owned,
  })
  const acme = ordered?.acme ?? null
  const sources = await openSources(config, hasFile, settings, data.owned, base)
  const admission = createAdmission({
    readFile: readBesideSources(config, settings),
    admin: settings.admin.address,
    adminSocket: settings.admin.socket,
    localAddresses: readLocalAddresses,
    trusted: () => live.current().trusted,
    now: Date.now,
    ordersCertificates: acme !== null,
    mayRunPrograms: programsOf(sources),
    onFault: faults.at('admit'),
  })
  const control = createControl({
    sources: ordered === null ? sources : [...sources, ordered.source],
    startMs: settings.startMs,
    routeOrder: settings.routing.order,
    admission,
    publisher,
    onProblem: (problem, isResolved) => events.add(isResolved ? 'resolved' : 'problem', problem),
    problemsBeside: () => acme?.problems() ?? [],
    names: createNameExpansion(publisher, resolver, () => performance.now()),
    log,
    onFault: faults.at('admit'),
    onSettings: live.take,
  })
  const scaler = openScaling({
    ...{ config, settings, scoreboard, publisher, health, admission, log, events },
    replaces: predecessor !== null,
    ...{ snapshot: control.snapshot, sources: control.sources, onFault: faults.at('scale') },
  })
  // Without workers, requests would wait for a collection on the main thread.
  const tidy = settings.workers > 0 ? createTidy({ afterStart: true }) : null
  publisher.listen({
    onPublished: (_number, changes) => acme?.take(changes),
    onInForce: () => tidy?.soon(),
  })
  const threads = createThreads({
    settings,
    scoreboard,
    publisher,
    resolver,
    log,
    faults,
    shortages,
    writeLines: (lines) => sink.write(lines),
    workers,
    inherited: inherited.serving,
    secrets: predecessor,
    orderCertificate: ordered?.orderOnDemand,
    onWake(backend) {
      health.wake(backend)
      scaler.wake(backend)
    },
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
    const monotonic = process.hrtime.bigint() / 1000n
    void manager.notify('RELOADING=1', `MONOTONIC_USEC=${monotonic}`)
    control.reload()
    void manager.notify('READY=1')
  }
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
      scaler,
      threads,
      templates,
      resolver,
      sink,
      log,
      faults,
      shortages,
      inherited: inherited.admin,
      upgrade: upgrades.status,
    }
    async function open(): Promise<OpenedAdmin | null> {
      const opened = await openAdmin(parts, () => state)
      if (!isStopping()) return opened
      await opened.close({ isPassedOn: predecessor !== null })
      return null
    }
    // The predecessor shows its own state until this program serves.
    const isAdminLast = isStrict || predecessor !== null
    if (predecessor === null) pidFile.write(process.pid)
    acme?.read()
    await control.open()
    if (!isAdminLast) admin = await open()
    await control.start()
    if (isStopping()) return
    if (isStrict) requireSources(control)
    if (predecessor !== null) {
      refuseEmptySources(control.sources())
      refuseLostObjects(predecessor, control.setAside())
      await untilProbed(health.servers, isStopping)
    }
    const listeners = [...control.listeners()]
    if (listeners.length === 0) {
      if (!mayWait(settings)) throw new Error(noListener(publisher, control))
      log.warn({}, 'no listener is declared yet: waiting for the sources')
      // The API may declare one.
      admin ??= await open()
    }
    const isGiven = (listener: Listener): boolean => given.some((one) => isFor(one, listener))
    const own = settings.workers > 0 ? listeners.filter((listener) => !isGiven(listener)) : []
    const taken = await findTakenPorts(own, listeners.length)
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
    // What fails before leaves the file to the predecessor.
    if (predecessor !== null) pidFile.write(process.pid)
    state = 'ready'
    acme?.begin()
    scaler.start()
    templates.start()
    const fields = { ports, admin: admin.address, workers: settings.workers, version }
    const from = predecessor === null ? {} : { predecessor: predecessor.pid }
    log.info({ ...fields, ...from }, 'serving')
    for (const unused of unusedSockets(inherited.serving, listeners)) {
      log.warn({}, `no listener is declared for the inherited socket ${unused}`)
    }
    if (predecessor !== null) {
      threads.dropInherited()
      predecessor.replace(version)
    }
    const main = predecessor === null ? [] : [`MAINPID=${process.pid}`]
    void manager.notify(...main, 'READY=1', `STATUS=serving ${listeners.length} listeners`)
    manager.watch((withinMs) => threads.stallMs() < withinMs)
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

  /** `successor`: takes over what only one program may have; null: the service ends. */
  async function stop(drainMs: number, successor: Successor | null): Promise<void> {
    // One that has not come to serve leaves everything to its predecessor.
    const isRejected = predecessor !== null && state === 'starting'
    state = 'draining'
    upgrades.stop()
    manager.stop()
    if (successor !== null) void manager.notify(`MAINPID=${successor.pid}`)
    else if (!isRejected) void manager.notify('STOPPING=1')
    tidy?.stop()
    // Saving delays no client, and the stop for a limited time only.
    const saved = control.stop()
    const { promise: drained, resolve: endDrain } = Promise.withResolvers<void>()
    const partsStopped = Promise.all([acme?.stop(), templates.stop(), scaler.stop(drained)])
    const healthStopped = health.stop()
    // Those that fail do so where they are awaited, and do not cut the drain short.
    for (const one of [saved, partsStopped, healthStopped]) one.catch(() => {})
    resolver.stop()
    resolveNamesBy(null)
    const written = Promise.race([saved, delay(SAVE_WITHIN_MS, undefined, { ref: false })])
    if (successor !== null) threads.passOn()
    const passedOn = successor === null ? null : passOn(successor, written)
    await threads.drain(drainMs).finally(endDrain)
    await passedOn
    await written
    await healthStopped
    await partsStopped
    publisher.stop()
    stopStatsd?.()
    await admin?.close({ isPassedOn: isRejected })
    await manager.notify()
  }

  async function passOn(successor: Successor, written: Promise<unknown>): Promise<void> {
    await admin?.close({ isPassedOn: true })
    admin = null
    // What fails to be saved is reported where it is awaited.
    await written.catch(() => {})
    data.release()
    successor.passOn()
  }

  let end: NodeJS.Signals | Successor
  try {
    // A signal may arrive before the first table is in force.
    const started = start()
    const early = await Promise.race([started, signals.stop])
    end = early ?? (await upgrades.untilEnd(signals.stop))
    log.info(typeof end === 'string' ? { signal: end } : { successor: end.pid }, 'draining')
    started.catch(() => {})
  } catch (error) {
    await stop(0, null)
    await sink.close()
    throw error
  }
  await stop(live.current().drainMs, typeof end === 'string' ? null : end)
  log.info({}, 'stopped')
  if (!(await sink.close())) process.exit(0)
  return 0
}
