/** The parts of the running program: opened, each with what it needs of the others. `run.ts` starts and stops them. */
import { createEventLog } from '../admin/event-log.ts'
import type { Acme } from '../acme/acme.ts'
import { createAdmission } from '../control/admission/admit.ts'
import { createControl } from '../control/control.ts'
import { createNameExpansion } from '../control/publication/name-expansion.ts'
import { createPublisher } from '../control/publication/publisher.ts'
import { keepNamesResolved } from '../control/publication/resolve-names.ts'
import { resolveNamesBy } from '../dns/dialing.ts'
import { readLocalAddresses } from '../dns/local-addresses.ts'
import { createLookup } from '../dns/lookup.ts'
import { openResolver } from '../dns/open-resolver.ts'
import type { Resolver } from '../dns/resolver.ts'
import { createHealthMonitor } from '../health/health-monitor.ts'
import { logNames } from '../health/log-names.ts'
import { createProbe } from '../health/probe.ts'
import { sendHook } from '../health/web-hook.ts'
import type { ListeningSocket } from '../model/listening-socket.ts'
import { createFaults } from '../observe/fault.ts'
import type { LogForm } from '../observe/log-forms.ts'
import { createLog } from '../observe/log.ts'
import { createShortages } from '../observe/shortages.ts'
import { openSink } from '../observe/sink.ts'
import type { Scaler } from '../scaling/scaler.ts'
import type { ResolvedSettings, SettingSources } from '../schema/resolve-settings.ts'
import { openBoardClock, systemMs } from '../scoreboard/board-clock.ts'
import { Scoreboard } from '../scoreboard/scoreboard.ts'
import { openAcme } from './acme.ts'
import type { BaseConfiguration } from './base.ts'
import type { DataFolder } from './data-lock.ts'
import { createLiveSettings, type LiveSettings } from './live-settings.ts'
import type { AdminParts } from './open-admin.ts'
import type { PidFile } from './pid-file.ts'
import { openTemplates, type RunningTemplates } from './rendering.ts'
import { openScaling, programsOf } from './scaling.ts'
import { listenForSignals, type Signals } from './signals.ts'
import { openSources, readBesideSources } from './sources.ts'
import type { Activation } from './systemd/activation.ts'
import { openServiceManager, type ServiceManager } from './systemd/notify.ts'
import { createThreads } from './threads.ts'
import { createTidy, type Tidy } from './tidy.ts'
import { type Inherited, sortSockets } from './upgrade/inherited.ts'
import type { Predecessor } from './upgrade/predecessor.ts'
import { commandOf } from './upgrade/program.ts'
import { createUpgrades, type Upgrades } from './upgrade/upgrades.ts'
import type { Workers } from './workers.ts'

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

/** `draining`: it stops, also if it has never served. */
export type ProgramState = 'starting' | 'ready' | 'draining'

/** What changes while the program runs. */
export interface ProgramView {
  readonly state: () => ProgramState
  /** Of the admin, once it is open. */
  readonly adminSockets: () => readonly ListeningSocket[]
}

export interface Parts extends Pick<
  AdminParts,
  'settings' | 'publisher' | 'health' | 'control' | 'threads' | 'sink' | 'log'
> {
  readonly signals: Signals
  readonly manager: ServiceManager
  readonly upgrades: Upgrades
  readonly live: LiveSettings
  readonly resolver: Resolver
  readonly templates: RunningTemplates
  /** Null: no certificates are ordered. */
  readonly acme: Acme | null
  readonly scaler: Scaler
  readonly tidy: Tidy | null
  readonly stopStatsd: (() => void) | null
  /** All listening sockets that this program was given, and those of them for listeners. */
  readonly given: readonly ListeningSocket[]
  readonly inherited: Inherited['serving']
  readonly forAdmin: AdminParts
}

/** Rejects with the reason if one cannot be opened. */
export async function openParts(
  options: RunOptions,
  { state, adminSockets }: ProgramView,
): Promise<Parts> {
  const { config, hasFile, version, started, resolve, workers, base, isStrict } = options
  const { data, predecessor, activation } = options
  const { settings, problems } = started
  const sink = openSink(settings.log.path)
  const log = createLog(settings.log.level, sink, options.logForm)
  for (const problem of problems) log.warn({ problem }, problem.message)
  let reload = (): void => {}
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
    refusal: () => (state() === 'ready' ? null : `this program is ${state()}`),
    sockets: async () => [...adminSockets(), ...(await threads.sockets())],
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
  return {
    ...{ settings, publisher, health, control, threads, sink, log },
    ...{ signals, manager, upgrades, live, resolver, templates, acme, scaler, tidy, stopStatsd },
    ...{ given, inherited: inherited.serving },
    forAdmin: {
      ...{
        version,
        config,
        events,
        settings,
        scoreboard,
        publisher,
        health,
        control,
        acme,
        scaler,
      },
      ...{ threads, templates, resolver, sink, log, faults, shortages },
      access: () => live.current().admin,
      inherited: inherited.admin,
      upgrade: upgrades.status,
    },
  }
}
