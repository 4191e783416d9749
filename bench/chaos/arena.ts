/** Four servers that can be made to fail and a Sluice before them, all processes of their own, free to use all cores. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Owner } from '../../test/support/daemon.ts'
import { logFileOf, startContender } from '../contender.ts'
import type { Running } from '../contender.ts'
import { ours, serve } from '../contenders/ours.ts'
import { createSite, freePorts } from '../site.ts'
import { clockMs } from './clock.ts'
import { phaseOf } from './figures.ts'
import type { Phase, Span } from './figures.ts'
import { startLoad } from './load.ts'
import type { LoadPlan, LoadResult } from './load.ts'
import type { Plan } from './plan.ts'
import { startServer } from './server.ts'
import type { Arrival, ChaosServer } from './server.ts'
import { watchStates } from './states.ts'
import type { StateWatch } from './states.ts'

export interface Lab {
  readonly plan: Plan
  readonly folder: string
  readonly say: (line: string) => void
}

export interface ArenaOptions {
  readonly name: string
  readonly workers?: number
  /** How long the servers take for a response. */
  readonly delayMs?: number
  /** What the backend says beside its servers; null: there are none, the frontend responds itself. */
  readonly backend: object | null
  readonly frontend?: object
  /** What else the file says: options of its listener, and further objects. */
  readonly extra?: {
    readonly listener?: object
    readonly backends?: object
    readonly frontends?: object
  }
}

export interface Arena extends Owner {
  readonly sluice: Running
  readonly port: number
  readonly servers: readonly ChaosServer[]
  readonly states: StateWatch
  readonly arrivals: () => Arrival[]
}

/** So long that the waiting, not the work of a busy machine, makes most of a response's time. */
export const DELAY_MS = 10
/** So many that each sends two requests a second, as a person does. */
export const CLIENTS = 200
export const POST_EVERY = 7
/** Requests that are under way when a fault begins belong to it. */
const UNDER_WAY_MS = 50
export const HEALTH_INTERVAL_MS = 500
export const TRY_MS = 500
/** Parts of a backend as the file writes it. */
type Declared = Readonly<Record<string, unknown>>
export const HEALTH: Declared = {
  path: '/healthz',
  interval: `${HEALTH_INTERVAL_MS}ms`,
  timeout: '300ms',
  rise: 2,
  fall: 2,
}
export const RETRY: Declared = { attempts: 3, budget: { ratio: '20%', perSecond: 3 } }
export const TIMEOUTS: Declared = { connect: '500ms', try: `${TRY_MS}ms` }
export const GUARDED: Declared = {
  balance: 'round-robin',
  health: HEALTH,
  ejection: {
    failures: 5,
    errors: 5,
    successRate: { deviations: 3, requests: 50 },
    time: '10s',
  },
  retry: RETRY,
  timeouts: TIMEOUTS,
}

let arenas = 0

/** Everything that is opened in it is closed with it, on success and on failure. */
export async function onArena<T>(
  lab: Lab,
  options: ArenaOptions,
  act: (arena: Arena) => Promise<T>,
): Promise<T> {
  const ends: (() => unknown)[] = []
  const owner: Owner = { after: (end) => void ends.unshift(end) }
  try {
    const ports = options.backend === null ? [] : await freePorts(4)
    const delayMs = options.delayMs ?? DELAY_MS
    const servers = await Promise.all(ports.map((port) => startServer(owner, port, delayMs)))
    const folder = join(lab.folder, `${++arenas}-${options.name}`)
    const sluice = await startSluice(folder, options, servers)
    owner.after(sluice.stop)
    const states = watchStates(owner, sluice.site.adminPort)
    if (options.backend !== null && 'health' in options.backend) await states.untilUp(servers)
    const arrivals = (): Arrival[] => servers.flatMap((server) => server.arrivals)
    const found = await act({ ...owner, sluice, port: sluice.site.port, servers, states, arrivals })
    refuseFaults(folder)
    return found
  } finally {
    for (const end of ends) await end()
  }
}

async function startSluice(
  folder: string,
  { name, workers = 2, backend, frontend = {}, extra = {} }: ArenaOptions,
  servers: readonly ChaosServer[],
): Promise<Running> {
  const site = await createSite(folder, { certificate: null, origins: [0, 0], routes: 1 })
  const urls = Object.fromEntries(servers.map(({ url }, i) => [`s${i + 1}`, url]))
  const prepare = (): ReturnType<typeof serve> => {
    const file = join(folder, 'sluice.json')
    const pool = backend === null ? {} : { pool: { ...backend, servers: urls } }
    const declared = {
      workers,
      admin: { address: `127.0.0.1:${site.adminPort}` },
      log: { level: 'warn', access: 'off' },
      data: join(folder, 'data'),
      listeners: { web: { address: `127.0.0.1:${site.port}`, ...extra.listener } },
      backends: { ...pool, ...extra.backends },
      frontends: {
        all: {
          route: 'PathPrefix("/")',
          ...(backend === null ? {} : { backend: 'pool' }),
          ...frontend,
        },
        ...extra.frontends,
      },
    }
    writeFileSync(file, JSON.stringify(declared, null, 2))
    return serve(file)
  }
  return startContender({ ...ours, title: `Sluice for ${name}`, prepare }, site, {
    path: '/ready',
    core: 'any',
    limitMs: 20_000,
  })
}

function refuseFaults(folder: string): void {
  const fault = /^.*a fault of Sluice.*$/m.exec(readFileSync(logFileOf({ folder }), 'utf8'))
  if (fault !== null) throw new Error(`Sluice logged ${fault[0]}`)
}

export interface Run {
  readonly load: LoadResult
  readonly quiet: Span
  readonly fault: Span
  readonly after: Span
  readonly phase: (span: Span) => Phase
  readonly arrivals: readonly Arrival[]
}

export interface Fault {
  readonly faultMs: number
  readonly begin: () => unknown
  /** Resolves when it is over. */
  readonly end: () => unknown
}

/** Steady load over a quiet time, the fault, and what follows. */
export async function runPhases(
  arena: Arena,
  plan: Plan,
  load: Partial<LoadPlan>,
  { faultMs, begin, end }: Fault,
): Promise<Run> {
  const running = startLoad(arena, {
    port: arena.port,
    requestsPerSecond: plan.requestsPerSecond,
    clients: CLIENTS,
    postEvery: POST_EVERY,
    ...load,
  })
  await pause(plan.warmUpMs)
  const quietFrom = clockMs()
  await pause(plan.quietMs)
  const beganMs = clockMs()
  await begin()
  await pause(faultMs)
  await end()
  const endedMs = clockMs()
  await pause(plan.afterMs)
  const stoppedMs = clockMs()
  const result = await running.finish()
  const arrivals = arena.arrivals()
  return {
    load: result,
    quiet: { fromMs: quietFrom, toMs: beganMs - UNDER_WAY_MS },
    fault: { fromMs: beganMs - UNDER_WAY_MS, toMs: endedMs },
    after: { fromMs: endedMs, toMs: stoppedMs },
    phase: (span) => phaseOf(result.samples, arrivals, span),
    arrivals,
  }
}
