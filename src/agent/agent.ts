/**
 * The agent: a watcher for each service, and one registrar for each registry. A new configuration is applied without a gap: the
 * registration of a service that has changed is replaced, or the new one is there before the old one is removed.
 */
import { isEqual } from '../model/equal.ts'
import { messageOf } from '../model/error-message.ts'
import type { Log } from '../observe/log.ts'
import type { Check } from './checks/check.ts'
import { createCheckLoop, type CheckLoop } from './checks/check-loop.ts'
import type { AgentConfig, CheckSpec, ServiceSpec } from './spec/agent-spec.ts'
import type { RegistrarSpec } from './registrar/kind.ts'
import type { LinkState } from './registrar/registrar.ts'
import { ServiceWatcher, type ServiceReport } from './watch/service-watcher.ts'
import {
  createSharedRegistrar,
  type OpenRegistrar,
  type SharedRegistrar,
} from './watch/shared-registrar.ts'

export interface AgentOptions {
  readonly openRegistrar: OpenRegistrar
  readonly createCheck: (spec: CheckSpec, of: ServiceSpec) => Check
  readonly log: Log
  /** ms, monotonic. */
  readonly now: () => number
}

export interface RegistryReport {
  readonly name: string
  readonly kind: string
  readonly place: string | null
  readonly link: LinkState | null
}

export interface AgentReport {
  readonly services: readonly ServiceReport[]
  readonly registries: readonly RegistryReport[]
}

export interface Agent {
  /** Takes another configuration in place of the one before; after `stop` none. */
  apply(config: Pick<AgentConfig, 'services'>): void
  report(): AgentReport
  /** Removes all registrations. Resolves, soon after `withinMs`, to whether all registries have confirmed that within it. */
  stop(withinMs: number): Promise<boolean>
}

interface Place {
  readonly spec: RegistrarSpec
  readonly registrar: SharedRegistrar
  users: number
}

/** A watcher, and those that it replaces until it has settled. */
interface Running {
  readonly watcher: ServiceWatcher
  readonly place: Place
  readonly retiring: Set<Retiring>
}

interface Retiring {
  readonly watcher: ServiceWatcher
  readonly place: Place
  /** The check loops that its successor has taken over. */
  readonly keeps: readonly CheckLoop[]
}

export function createAgent(options: AgentOptions): Agent {
  const { openRegistrar, createCheck, log, now } = options
  const places = new Map<string, Place>()
  const all = new Map<string, Running>()
  const ending = new Set<Promise<boolean>>()
  let isStopped = false

  function acquire(spec: RegistrarSpec): Place {
    const key = JSON.stringify(spec)
    const known = places.get(key)
    if (known !== undefined) {
      known.users++
      return known
    }
    const registrar = createSharedRegistrar({ spec, open: openRegistrar, log, now })
    const place = { spec, registrar, users: 1 }
    places.set(key, place)
    return place
  }

  async function release(place: Place): Promise<boolean> {
    if (--place.users > 0) return true
    places.delete(JSON.stringify(place.spec))
    return close(place)
  }

  async function close({ registrar }: Place, withinMs?: number): Promise<boolean> {
    const registry = registrar.place()
    try {
      await registrar.close(withinMs)
      return true
    } catch (error) {
      const what = 'registrations could not be removed: they expire by their time to live'
      log.error({ registry, reason: messageOf(error) }, what)
      return false
    }
  }

  function begin(spec: ServiceSpec, before: Running | undefined): void {
    const place = acquire(spec.registry)
    const old = before?.watcher
    const taken =
      old !== undefined && isEqual(old.spec.checks, spec.checks) && sharesTarget(old.spec, spec)
        ? old.checks
        : []
    const checks =
      taken.length > 0
        ? taken
        : spec.checks.map((check) => createCheckLoop(check, createCheck(check, spec), now))
    const registrar = place.registrar
    const watcher = new ServiceWatcher({ spec, checks, registrar, log, now })
    const retiring = new Set(before?.retiring)
    before?.retiring.clear()
    if (before !== undefined) retiring.add({ ...before, keeps: taken })
    const running = { watcher, place, retiring }
    all.set(spec.name, running)
    watcher.start(taken)
    if (retiring.size > 0) void watcher.settled.then(() => retire(running))
  }

  /** What the watcher has replaced ends. */
  function retire({ retiring }: Running): void {
    for (const one of retiring) {
      retiring.delete(one)
      follow(end(one.watcher, one.place, one.keeps))
    }
  }

  /** Resolves to whether its registry has confirmed all that was to be removed. */
  async function end(
    watcher: ServiceWatcher,
    place: Place,
    keeps: readonly CheckLoop[] = [],
  ): Promise<boolean> {
    try {
      await watcher.stop(keeps)
    } catch (error) {
      const { name } = watcher.spec
      log.error(
        { service: name, reason: messageOf(error) },
        'the registration could not be removed',
      )
    }
    return release(place)
  }

  function follow(work: Promise<boolean>): void {
    ending.add(work)
    void work.finally(() => ending.delete(work))
  }

  return {
    apply({ services }) {
      if (isStopped) return
      const names = new Set(services.map(({ name }) => name))
      for (const spec of services) {
        const before = all.get(spec.name)
        if (before !== undefined && isEqual(before.watcher.spec, spec)) continue
        begin(spec, before)
      }
      for (const [name, running] of all) {
        if (names.has(name)) continue
        all.delete(name)
        follow(end(running.watcher, running.place))
        retire(running)
      }
    },
    report: () => ({
      services: Array.from(all.values(), ({ watcher }) => watcher.report()),
      registries: Array.from(places.values(), ({ spec, registrar }) => ({
        name: spec.name,
        kind: spec.kind,
        place: registrar.place(),
        link: registrar.link(),
      })),
    }),
    async stop(withinMs) {
      isStopped = true
      for (const { watcher, retiring } of all.values()) {
        watcher.halt()
        for (const one of retiring) one.watcher.halt(one.keeps)
        retiring.clear()
      }
      all.clear()
      const closing = Array.from(places.values(), (place) => close(place, withinMs))
      const removed = await Promise.all([...closing, ...ending])
      return removed.every(Boolean)
    },
  }
}

/** Whether checks of the one are checks of the other: programs get the host and port of the service. */
function sharesTarget(a: ServiceSpec, b: ServiceSpec): boolean {
  return a.registration.host === b.registration.host && a.registration.port === b.registration.port
}
