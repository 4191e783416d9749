/** The running program, from its resolved settings to its end: it starts its parts in order, and closes them after a signal. */
import { setTimeout as delay } from 'node:timers/promises'
import { resolveNamesBy } from '../dns/dialing.ts'
import { isFor } from '../model/listening-socket.ts'
import type { Listener } from '../model/snapshot.ts'
import { openAdmin, type OpenedAdmin } from './open-admin.ts'
import { openParts, type ProgramState, type RunOptions } from './parts.ts'
import { whenNoneWaits } from './scaling.ts'
import { mayWait, noListener, requireSources } from './start-conditions.ts'
import { findTakenPorts } from './taken-port.ts'
import type { Threads } from './threads.ts'
import { unusedSockets } from './upgrade/inherited.ts'
import { refuseEmptySources, refuseLostObjects, untilProbed } from './upgrade/ready-to-replace.ts'
import type { Successor } from './upgrade/successor.ts'

/** How long a stop waits for the last good snapshots: the disk may hang. */
const SAVE_WITHIN_MS = 5000
const POLL_MS = 100

/** Resolves with the exit code after a drain. Rejects if the program could not start. */
export async function run(options: RunOptions): Promise<number> {
  const { version, isStrict, data, predecessor, pidFile } = options
  let state: ProgramState = 'starting'
  let admin: OpenedAdmin | null = null
  const parts = await openParts(options, {
    state: () => state,
    adminSockets: () => admin?.sockets() ?? [],
  })
  const { settings, publisher, health, control, threads, sink, log, signals, manager } = parts
  const { upgrades, live, resolver, templates, acme, scaler, tidy, stopStatsd } = parts
  const { given, inherited } = parts
  /** A signal may arrive during any `await`. */
  const isStopping = (): boolean => state === 'draining'

  async function start(): Promise<void> {
    // The threads load their code while the sources are read.
    threads.start()
    health.start()
    resolver.start()
    async function open(): Promise<OpenedAdmin | null> {
      const opened = await openAdmin(parts.forAdmin, () => state)
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
    for (const unused of unusedSockets(inherited, listeners)) {
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
    const healthStopped = whenNoneWaits(scaler, drained).then(() => health.stop())
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
