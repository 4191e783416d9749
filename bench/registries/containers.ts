/**
 * Containers that come and go. 1,000 of a fake engine, ten changes a second beside traffic; and a real engine, from its event
 * `start` until every serving thread sends requests to the container.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startDockerEngine, type DockerEngine } from '../../test/support/docker-engine.ts'
import type { Owner } from '../../test/support/daemon.ts'
import { openWatch } from '../live-file.ts'
import { mainThreadMicros, residentBytes } from '../proc.ts'
import type { Prober, StreamResult } from '../prober.ts'
import type { Changes } from './fake-docker.process.ts'
import { onStageOf, until, type Lab, type Source } from './stage.ts'

export interface ContainersResult {
  readonly containers: number
  readonly changesPerSecond: number
  readonly seconds: number
  readonly quiet: StreamResult
  readonly changing: StreamResult
  /** Of one core, of the main thread. */
  readonly quietCpu: number
  readonly changingCpu: number
  readonly residentBytes: number
}

export interface ContainerStartResult {
  readonly starts: number
  /** From the engine's event until every thread sends requests to it. */
  readonly inForceMs: readonly number[]
}

const CONTAINERS = 1_000
const REQUESTS_PER_SECOND = 1_000
const WARM_UP_SECONDS = 5

interface Fake extends Source {
  readonly change: (changes: Changes) => Promise<void>
}

export function measureContainers(lab: Lab): Promise<ContainersResult> {
  const { containerSeconds: seconds, containerRate: perSecond } = lab.plan
  return onStageOf(lab, startFake, async (stage, docker) => {
    const sluice = await stage.startSluice()
    await until(async () => (await stage.report()).state === 'live', 'live', 30_000)
    await seen(stage.probe(REQUESTS_PER_SECOND), () => pause(WARM_UP_SECONDS * 1_000))

    // In turns, so that a change of the machine meets both.
    const turns = 3
    const parts = { quiet: [] as Part[], changing: [] as Part[] }
    for (let turn = 0; turn < turns; turn++) {
      lab.say(`containers: turn ${turn + 1} of ${turns}`)
      parts.quiet.push(
        await measure(sluice.pid, stage.probe(REQUESTS_PER_SECOND), () => pause(seconds * 1_000)),
      )
      const change = (): Promise<void> => docker.change({ perSecond, seconds })
      parts.changing.push(await measure(sluice.pid, stage.probe(REQUESTS_PER_SECOND), change))
    }
    const [quiet, changing] = [medianOf(parts.quiet), medianOf(parts.changing)]
    return {
      ...{ containers: CONTAINERS, changesPerSecond: perSecond, seconds: seconds * turns },
      ...{ quiet: quiet.stream, changing: changing.stream },
      ...{ quietCpu: quiet.cpu, changingCpu: changing.cpu },
      residentBytes: residentBytes(sluice.pids()),
    }
  })
}

/** The program of the container listens already, so that its start is not measured. */
export function measureContainerStart(lab: Lab): Promise<ContainerStartResult> {
  return onStageOf(lab, startReal, async (stage, { engine, port }) => {
    await stage.startSluice()
    const watch = openWatch(stage.port, '/1k')
    stage.after(watch.close)
    const inForceMs: number[] = []
    for (let turn = 0; turn < lab.plan.containerStarts; turn++) {
      const name = `c${turn}`
      const started = startOf(engine, name)
      const labels = { 'sluice.host': `${name}.test`, 'sluice.port': String(port) }
      await engine.run(name, { 'sluice.enable': 'true', ...labels })
      const inForce = await watch.untilAll(`${name}.test`, 200, 20_000)
      inForceMs.push(performance.timeOrigin + inForce - (await started))
    }
    return { starts: inForceMs.length, inForceMs }
  })
}

/** When the engine reports that the container has started, ms since the epoch. */
async function startOf(engine: DockerEngine, name: string): Promise<number> {
  const since = (Date.now() / 1_000).toFixed(3)
  const filters = ['--filter', `container=${name}`, '--filter', 'event=start']
  for (;;) {
    const until = ((Date.now() + 100) / 1_000).toFixed(3)
    const range = ['--since', since, '--until', until]
    const format = ['--format', '{{.TimeNano}}']
    const found = await engine.docker('events', ...range, ...filters, ...format)
    if (found !== '') return Number(BigInt(found.split('\n')[0] ?? '0') / 1_000n) / 1_000
  }
}

interface Part {
  readonly stream: StreamResult
  readonly cpu: number
}

async function measure(pid: number, prober: Prober, act: () => Promise<unknown>): Promise<Part> {
  const [began, before] = [performance.now(), mainThreadMicros(pid)]
  await act()
  const cpu = (mainThreadMicros(pid) - before) / 1_000 / (performance.now() - began)
  return { stream: await finish(prober), cpu }
}

async function seen(prober: Prober, act: () => Promise<unknown>): Promise<StreamResult> {
  await act()
  return finish(prober)
}

async function finish(prober: Prober): Promise<StreamResult> {
  const stream = (await prober.finish()).streams['proxied']
  if (stream === undefined) throw new Error('the prober saw nothing')
  return stream
}

/** By its p99. */
function medianOf(parts: readonly Part[]): Part {
  const sorted = parts.toSorted((one, other) => one.stream.p99Ms - other.stream.p99Ms)
  const found = sorted[Math.floor(sorted.length / 2)]
  if (found === undefined) throw new Error('nothing was measured')
  return found
}

async function startFake(owner: Owner, ports: readonly number[]): Promise<Fake> {
  const path = fileURLToPath(new URL('fake-docker.process.ts', import.meta.url))
  const child = fork(path, [ports.join(), String(CONTAINERS)])
  owner.after(() => child.kill('SIGKILL'))
  const [{ endpoint }] = (await once(child, 'message')) as [{ endpoint: string }]
  return {
    kind: 'docker',
    source: { kind: 'docker', endpoint },
    async change(changes) {
      child.send(changes)
      await once(child, 'message')
    },
  }
}

interface Real extends Source {
  readonly engine: DockerEngine
  /** Of a server on the host. */
  readonly port: number
}

async function startReal(owner: Owner, [port = 0]: readonly number[]): Promise<Real> {
  const engine = await startDockerEngine(owner)
  const endpoint = `unix://${engine.socket}`
  return { kind: 'docker', source: { kind: 'docker', endpoint }, engine, port }
}
