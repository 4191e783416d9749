/**
 * What live registries cost and endure, with real servers: `npm run bench:registries -- --help`.
 */
import type { BenchChoice, BenchUsage } from './arguments.ts'
import { barTable } from './chaos/report.ts'
import { keepResults, runBench } from './frame.ts'
import { apiRows, measureApi, type ApiResult } from './registries/api.ts'
import {
  measureContainers,
  measureContainerStart,
  type ContainersResult,
  type ContainerStartResult,
} from './registries/containers.ts'
import { percentile } from './figures.ts'
import { measureLatency, type LatencyResult } from './registries/latency.ts'
import { measureOutage, type OutageResult } from './registries/outage.ts'
import { measureReady, type ReadyResult } from './registries/ready.ts'
import type { Lab, Plan } from './registries/stage.ts'
import { measureStorm, type StormResult } from './registries/storm.ts'
import { describeMachine, type Machine } from './results.ts'

interface Results {
  readonly date: string
  readonly plan: Plan
  readonly machine: Machine
  latency?: readonly LatencyResult[]
  outage?: readonly OutageResult[]
  ready?: readonly ReadyResult[]
  storm?: StormResult
  containers?: ContainersResult
  containerStart?: ContainerStartResult
  api?: ApiResult
}

interface Row {
  readonly what: string
  readonly bar: string
  readonly found: string
  readonly isMet: boolean
}

const FULL: Plan = {
  latencyPuts: 300,
  awaySeconds: 60,
  readyTurns: 5,
  stormSeconds: 30,
  stormRate: 1_000,
  frontends: 10_000,
  containerRate: 10,
  containerSeconds: 15,
  containerStarts: 50,
  apiObjects: 10_000,
  apiTurns: 100,
  apiSeconds: 20,
}
const QUICK: Plan = {
  latencyPuts: 30,
  awaySeconds: 2,
  readyTurns: 1,
  stormSeconds: 3,
  stormRate: 1_000,
  frontends: 2_000,
  containerRate: 10,
  containerSeconds: 3,
  containerStarts: 5,
  apiObjects: 10_000,
  apiTurns: 20,
  apiSeconds: 5,
}
const USAGE: BenchUsage = {
  command: 'npm run bench:registries',
  about:
    'What live registries cost and endure, as real servers: etcd, Redis, the keys of Consul, ZooKeeper, the embedded store, Docker.',
  scenarios: {
    latency: 'from a put to its being in force in every thread',
    outage: 'a registry that is killed, comes back, is wiped; a start without it',
    ready: 'from the start to ready, with many frontends',
    storm: 'a thousand changes a second beside traffic',
    containers: '1,000 containers of a fake Docker engine, ten changes a second beside traffic',
    start: 'containers of a real Docker engine (as root), from their start to their being in force',
    api: 'lists and writes of the API at 10,000 frontends and backends, and 500 API requests/s beside traffic',
  },
}

const REMOTE = ['etcd', 'redis', 'consul-kv', 'zookeeper'] as const
const KINDS = [...REMOTE, 'store'] as const

await runBench('bench:registries', USAGE, main)

async function main(
  folder: string,
  { quick, bars, scenarios: only, isWhole }: BenchChoice,
): Promise<void> {
  const plan = quick ? QUICK : FULL
  const say = (line: string): void => console.error(`  ${line}`)
  const lab: Lab = { plan, folder, say }
  const results: Results = {
    date: new Date().toISOString(),
    plan,
    machine: describeMachine('nginx or Node', 'bench/prober.process.ts'),
  }

  if (only.includes('latency')) {
    results.latency = await each(KINDS, 'latency', measureLatency)
  }
  if (only.includes('outage')) {
    results.outage = await each(REMOTE, 'outage', measureOutage)
  }
  if (only.includes('ready')) {
    results.ready = await each(KINDS, 'ready', measureReady)
  }
  if (only.includes('storm')) results.storm = await measureStorm(lab)
  if (only.includes('containers')) results.containers = await measureContainers(lab)
  if (only.includes('start')) results.containerStart = await measureContainerStart(lab)
  if (only.includes('api')) results.api = await measureApi(lab)

  const { cpu, cores, kernel, node, loadBefore } = results.machine
  console.log(`${cpu}, ${cores} cores, Linux ${kernel}, Node ${node}, load before ${loadBefore}\n`)
  const rows = rowsOf(results)
  if (rows.length === 0) throw new Error('nothing was measured')
  keepResults('registries.json', results, isWhole)
  console.log(
    barTable(
      rows.map(({ what, ...row }) => ({ of: what, ...row })),
      bars,
    ),
  )
  if (bars && rows.some(({ isMet }) => !isMet)) process.exitCode = 1

  async function each<K extends string, R>(
    kinds: readonly K[],
    what: string,
    measure: (lab: Lab, kind: K) => Promise<R>,
  ): Promise<R[]> {
    const found: R[] = []
    for (const kind of kinds) {
      say(`${what}: ${kind}`)
      found.push(await measure(lab, kind))
    }
    return found
  }
}

function rowsOf(results: Results): Row[] {
  const { latency = [], outage = [], ready = [], storm, containers, containerStart, api } = results
  return [
    ...latency.map(latencyRow),
    ...outage.map(outageRow),
    ...ready.map(readyRow),
    ...(storm === undefined ? [] : stormRows(storm)),
    ...(containers === undefined ? [] : containerRows(containers)),
    ...(containerStart === undefined ? [] : [containerStartRow(containerStart)]),
    ...(api === undefined ? [] : apiRows(api, ms)),
  ]
}

function latencyRow({ kind, puts, putMs, inForceMs, failed }: LatencyResult): Row {
  return {
    what: `${kind}: put to in force in every thread, ${puts} puts`,
    bar: 'p50 < 10 ms, p99 < 50 ms',
    found:
      `p50 ${ms(inForceMs.p50)}, p99 ${ms(inForceMs.p99)}, at most ${ms(inForceMs.max)}; ` +
      `of that the put itself p50 ${ms(putMs.p50)}, p99 ${ms(putMs.p99)}; ${failed} requests failed`,
    isMet: inForceMs.p50 < 10 && inForceMs.p99 < 50 && failed === 0,
  }
}

function outageRow(result: OutageResult): Row {
  const { kind, awaySeconds, requests, failed, frontends, routesLost, held } = result
  return {
    what: `${kind}: killed, ${awaySeconds} s away, back; wiped; Sluice started meanwhile`,
    bar: '0 failed, no route lost, the wipe is held',
    found:
      `${failed} of ${requests} requests failed, ${routesLost} of ${frontends} routes lost; noticed after ` +
      `${ms(result.noticedMs)}, live again ${ms(result.liveAgainMs)} after it was back; held: ` +
      `${held?.reason ?? 'NOTHING'}; started anew ready after ${ms(result.restartReadyMs)}, ` +
      `${result.restartRoutesLost} routes lost`,
    isMet: failed === 0 && routesLost === 0 && held !== null && result.restartRoutesLost === 0,
  }
}

function readyRow({ kind, frontends, medianMs, samplesMs, residentBytes }: ReadyResult): Row {
  return {
    what: `${kind}: ${frontends} frontends, from the start to ready`,
    bar: '< 2 s',
    found:
      `median ${ms(medianMs)} (${ms(Math.min(...samplesMs))} to ${ms(Math.max(...samplesMs))}), ` +
      `resident ${mib(residentBytes)}`,
    isMet: medianMs < 2_000,
  }
}

function stormRows(result: StormResult): Row[] {
  const { quiet, beside, storm, batched, lastInForceMs, residentBytes: memory } = result
  const ratio = storm.p99Ms / quiet.p99Ms
  const half = memory.slice(Math.floor(memory.length / 2))
  return [
    {
      what: `storm: ${result.changesPerSecond.toFixed(0)} changes/s for ${result.seconds.toFixed(0)} s at ${result.frontends} frontends`,
      bar: '0 failed',
      found: `${storm.failed} of ${storm.sent} requests failed ${storm.failures.join('; ')}`,
      isMet: storm.failed === 0,
    },
    {
      what: 'storm: p99 of the traffic',
      bar: '<= 1.5 x quiet',
      found:
        `${ms(storm.p99Ms)}, quiet ${ms(quiet.p99Ms)}: ${ratio.toFixed(2)} x; the same writes unseen by ` +
        `Sluice ${ms(beside.p99Ms)}: ${(storm.p99Ms / beside.p99Ms).toFixed(2)} x`,
      isMet: ratio <= 1.5,
    },
    {
      what: 'storm, ten changes in a write: p99 of the traffic',
      bar: '<= 1.5 x quiet',
      found:
        `${ms(batched.p99Ms)}, quiet ${ms(quiet.p99Ms)}: ${(batched.p99Ms / quiet.p99Ms).toFixed(2)} x; ` +
        `${batched.failed} of ${batched.sent} requests failed`,
      isMet: batched.p99Ms <= 1.5 * quiet.p99Ms && batched.failed === 0,
    },
    {
      what: 'storm: the last change in force',
      bar: '< 200 ms',
      found: ms(lastInForceMs),
      isMet: lastInForceMs < 200,
    },
    {
      what: 'storm: memory',
      bar: 'flat',
      found:
        `first ${mib(memory[0] ?? NaN)}, middle ${mib(half[0] ?? NaN)}, last ${mib(memory.at(-1) ?? NaN)}, ` +
        `at most ${mib(Math.max(...memory))}`,
      isMet: (memory.at(-1) ?? NaN) <= 1.1 * (half[0] ?? NaN),
    },
  ]
}

function containerRows(result: ContainersResult): Row[] {
  const { quiet, changing, quietCpu, changingCpu } = result
  const ratio = changing.p99Ms / quiet.p99Ms
  const what = `${result.containers} containers, ${result.changesPerSecond} changes/s`
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`
  return [
    {
      what: `${what}: main thread`,
      bar: '< 20 % of a core',
      found: `${percent(changingCpu)}, quiet ${percent(quietCpu)}; resident ${mib(result.residentBytes)}`,
      isMet: changingCpu < 0.2,
    },
    {
      what: `${what}: p99 of the traffic`,
      bar: '<= 1.2 x quiet',
      found:
        `${ms(changing.p99Ms)}, quiet ${ms(quiet.p99Ms)}: ${ratio.toFixed(2)} x; ` +
        `${changing.failed} of ${changing.sent} requests failed`,
      isMet: ratio <= 1.2 && changing.failed === 0,
    },
  ]
}

function containerStartRow({ starts, inForceMs }: ContainerStartResult): Row {
  const at = (share: number): string => ms(percentile(inForceMs, share))
  return {
    what: `docker: event start to in force in every thread, ${starts} containers`,
    bar: '< 300 ms',
    found: `p50 ${at(0.5)}, p99 ${at(0.99)}, at most ${at(1)}`,
    isMet: percentile(inForceMs, 1) < 300,
  }
}

function ms(value: number): string {
  return `${value.toFixed(value < 100 ? 1 : 0)} ms`
}

function mib(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(0)} MiB`
}
