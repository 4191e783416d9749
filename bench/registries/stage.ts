/** A registry with a table in it and a Sluice that serves it, two serving threads, free to use all cores as in the field. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { KeyStore } from '../../src/providers/store.ts'
import type { SourceReport } from '../../src/observe/reports/source-report.ts'
import type { Owner } from '../../test/support/daemon.ts'
import { createStore, startRegistry } from '../../test/support/registries.ts'
import type { Registry, RemoteRegistry } from '../../test/support/registries.ts'
import { statusOf } from '../contender.ts'
import { serve } from '../contenders/ours.ts'
import { startOrigins } from '../origins.ts'
import { start } from '../processes.ts'
import type { Started } from '../processes.ts'
import { startProber } from '../prober.ts'
import type { Prober } from '../prober.ts'
import { hostOf } from '../request.ts'
import { freePorts } from '../site.ts'

export type Kind = Registry['kind']

export interface Plan {
  readonly latencyPuts: number
  readonly awaySeconds: number
  readonly readyTurns: number
  readonly stormSeconds: number
  readonly stormRate: number
  readonly frontends: number
  readonly containerRate: number
  readonly containerSeconds: number
  readonly containerStarts: number
  /** Frontends, and as many backends. */
  readonly apiObjects: number
  readonly apiTurns: number
  readonly apiSeconds: number
}

export interface Lab {
  readonly plan: Plan
  readonly folder: string
  readonly say: (line: string) => void
}

/** As the program's settings name it. */
export interface Source {
  readonly kind: string
  readonly source: Readonly<Record<string, unknown>>
}

export interface Stage extends Owner {
  readonly folder: string
  readonly port: number
  readonly adminPort: number
  readonly source: string
  /** Starts it; resolves when it is ready, with the ms that took. */
  readonly startSluice: () => Promise<Started & { readonly readyMs: number }>
  readonly report: () => Promise<SourceReport>
  /** Steady requests to the first hundred frontends. */
  readonly probe: (requestsPerSecond: number) => Prober
}

const READY_WITHIN_MS = 60_000
let stages = 0

/** A table of frontends in a registry. Everything that is opened in it is closed with it, on success and on failure. */
export function onStage<T>(
  lab: Lab,
  kind: Kind,
  frontends: number,
  act: (stage: Stage, registry: Registry | RemoteRegistry) => Promise<T>,
): Promise<T> {
  const open = async (owner: Owner, ports: readonly number[]): Promise<Registry> => {
    const path = join(lab.folder, `store-${stages}.db`)
    const registry = kind === 'store' ? createStore(owner, path) : await startRegistry(owner, kind)
    await fill(await registry.keys(), frontends, ports)
    return registry
  }
  return onStageOf(lab, open, act)
}

/** As above, of any kind. `open` starts it, and gets the ports of the servers. */
export async function onStageOf<S extends Source, T>(
  lab: Lab,
  open: (owner: Owner, ports: readonly number[]) => Promise<S>,
  act: (stage: Stage, source: S) => Promise<T>,
): Promise<T> {
  const folder = join(lab.folder, `stage-${++stages}`)
  mkdirSync(folder, { recursive: true })
  const ends: (() => unknown)[] = []
  const owner: Owner = { after: (end) => void ends.unshift(end) }
  try {
    const origins = await startOrigins(join(folder, 'origins'))
    owner.after(origins.stop)
    const source = await open(owner, origins.ports)
    return await act(await createStage(owner, folder, source), source)
  } finally {
    for (const end of ends) await end()
  }
}

async function createStage(owner: Owner, folder: string, registry: Source): Promise<Stage> {
  const [port = 0, adminPort = 0] = await freePorts(2)
  const file = join(folder, 'sluice.json')
  const config = {
    workers: 2,
    admin: { address: `127.0.0.1:${adminPort}` },
    log: { level: 'warn', access: 'off' },
    data: join(folder, 'data'),
    listeners: { web: { address: `127.0.0.1:${port}` } },
    sources: { [registry.kind]: registry.source },
  }
  writeFileSync(file, JSON.stringify(config))
  return {
    ...owner,
    folder,
    port,
    adminPort,
    source: registry.kind,
    async startSluice() {
      const began = performance.now()
      const started = start(serve(file), 'any', join(folder, 'output.log'))
      owner.after(started.stop)
      while ((await statusOf(adminPort, 'localhost', '/readyz')) !== 200) {
        const late = performance.now() - began > READY_WITHIN_MS
        if (started.ended() || late) throw new Error(`never ready: ${started.lastWords()}`)
        await pause(5)
      }
      return { ...started, readyMs: performance.now() - began }
    },
    async report() {
      const response = await fetch(`http://127.0.0.1:${adminPort}/api/providers`)
      const reports = (await response.json()) as SourceReport[]
      const report = reports.find(({ name }) => name === registry.kind)
      if (report === undefined) throw new Error(`${registry.kind} is not among the sources`)
      return report
    },
    probe(requestsPerSecond) {
      const hosts = Array.from({ length: 100 }, (_, route) => hostOf(route))
      const streams = [{ name: 'proxied', hosts, requestsPerSecond }]
      const prober = startProber({ port, path: '/1k', streams })
      owner.after(prober.end)
      return prober
    },
  }
}

async function fill(keys: KeyStore, frontends: number, ports: readonly number[]): Promise<void> {
  for (const backend of ['b', 'c']) {
    for (const [i, port] of ports.entries()) {
      await put(keys, `backends/${backend}/servers/s${i}`, `http://127.0.0.1:${port}`)
    }
  }
  const routes = Array.from({ length: frontends }, (_, route) => route).values()
  const writer = async (): Promise<void> => {
    for (const route of routes) await putRoute(keys, route, 'b')
  }
  await Promise.all(Array.from({ length: 64 }, writer))
}

export async function putRoute(keys: KeyStore, route: number, backend: 'b' | 'c'): Promise<void> {
  await keys.put(...routeOf(route, backend), {})
}

/** Its key and its value. */
export function routeOf(route: number, backend: 'b' | 'c'): [path: string, text: string] {
  const value = { route: `Host("${hostOf(route)}")`, backend, passHost: true }
  return [`frontends/r${route}/frontend`, JSON.stringify(value)]
}

/** A frontend without a backend: its status shows which version of it is in force. */
export function putAnswer(keys: KeyStore, id: string, status: number): Promise<void> {
  const value = { route: `Host("${id}.bench.test")`, respond: { status } }
  return put(keys, `frontends/${id}/frontend`, value)
}

export async function until(
  isSo: () => Promise<boolean>,
  what: string,
  limitMs: number,
): Promise<number> {
  const began = performance.now()
  while (!(await isSo())) {
    if (performance.now() - began > limitMs) throw new Error(`${what}: not within ${limitMs} ms`)
    await pause(5)
  }
  return performance.now() - began
}

async function put(keys: KeyStore, path: string, value: unknown): Promise<void> {
  await keys.put(path, JSON.stringify(value), {})
}
