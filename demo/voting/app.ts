/**
 * The voting app as processes of this machine: what `docker compose up` makes of examples/voting-app, without an engine. An
 * instance that starts joins Sluice's embedded store; one that leaves is deleted there first. One that dies stays there, and
 * starts again at the same port.
 */
import { chmodSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isFree } from '../ports.ts'
import { createEdge, type Edge } from './edge.ts'
import { startGuard } from './guard-pipe.ts'
import type { Machine } from './machine.ts'
import { prepareDatabases, type Service, servicePlan } from './services.ts'
import { type ProgramPlan, supervise, type Supervised } from './supervised.ts'

export interface AppOptions {
  readonly machine: Machine
  /** Of the edge. */
  readonly port: number
  readonly admin: number
  /** dist/main.js or src/main.ts. */
  readonly main: string
  readonly tell: (line: string) => void
}

export interface VotingApp {
  readonly folder: string
  readonly databaseUrl: string
  readonly edge: Edge
  instances(service: Service): readonly Instance[]
  /** All that runs: Sluice, the databases, and the instances of the services. */
  programs(): Iterable<Supervised>
  /** Resolves when as many get requests, and the others have ended. */
  scale(service: Service, count: number): Promise<void>
  /** SIGKILL to one: of a service the oldest. Returns its name; null if there is none. */
  kill(what: Service | 'redis' | 'db'): string | null
  stop(): Promise<void>
}

export interface Instance extends Supervised {
  readonly port: number
}

/** From these upwards. */
const FIRST_PORTS = { vote: 5101, worker: 5201, result: 5301, redis: 5401, db: 5501 } as const

export async function startVotingApp(options: AppOptions): Promise<VotingApp> {
  const { machine, tell } = options
  const folder = mkdtempSync(join(tmpdir(), 'sluice-voting-'))
  // The user of the databases passes through.
  chmodSync(folder, 0o711)
  const guard = startGuard(folder)
  const running = new Map<string, Supervised>()
  const run = (plan: ProgramPlan): Supervised => {
    const started = supervise(plan, { note: guard.note, tell })
    running.set(plan.name, started)
    return started
  }
  const end = async (name: string): Promise<void> => {
    await running.get(name)?.stop()
    running.delete(name)
  }

  const choosePort = createPortChoice()
  const edge = createEdge(options.main, { port: options.port, admin: options.admin, folder })
  run(edge.plan)
  const databases = await prepareDatabases(machine, folder, {
    redis: await choosePort(FIRST_PORTS.redis),
    postgres: await choosePort(FIRST_PORTS.db),
  })
  for (const plan of databases.plans) run(plan)

  const instances: Record<Service, Instance[]> = { vote: [], worker: [], result: [] }
  const started: Record<Service, number> = { vote: 0, worker: 0, result: 0 }
  const isBehindEdge = (service: Service): boolean => service !== 'worker'

  async function add(service: Service): Promise<Instance> {
    // A name is never given twice, as a container's id is not.
    const name = `${service}-${++started[service]}`
    const port = await choosePort(FIRST_PORTS[service])
    const instance = {
      ...run(servicePlan(service, name, port, machine, databases, folder)),
      port,
    }
    instances[service].push(instance)
    if (isBehindEdge(service)) await edge.join(service, name, `http://127.0.0.1:${port}`)
    return instance
  }

  async function remove(service: Service, { name }: Instance): Promise<void> {
    if (isBehindEdge(service)) await edge.leave(service, name)
    await end(name)
  }

  return {
    folder,
    databaseUrl: databases.databaseUrl,
    edge,
    instances: (service) => instances[service],
    programs: () => running.values(),
    async scale(service, count) {
      const leaving = instances[service].splice(count)
      await Promise.all(leaving.map((instance) => remove(service, instance)))
      const joining: string[] = []
      while (instances[service].length < count) joining.push((await add(service)).name)
      if (isBehindEdge(service)) await edge.untilUp(service, joining)
    },
    kill(what) {
      const name = what === 'redis' || what === 'db' ? what : instances[what][0]?.name
      if (name === undefined) return null
      running.get(name)?.kill()
      return name
    },
    async stop() {
      await Promise.all([...running.keys()].map(end))
      await edge.close()
      await guard.close()
    },
  }
}

/** The first free port from one upwards; each is given once. */
function createPortChoice(): (first: number) => Promise<number> {
  const given = new Set<number>()
  return async (first) => {
    for (let port = first; ; port += 1) {
      if (given.has(port) || !(await isFree(port))) continue
      given.add(port)
      return port
    }
  }
}
