/**
 * The API at the size of a large table: how long a list and a write take, and what 500 API requests a second cost the traffic
 * beside them. Everything goes through `sluice/client`, as programs do.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { type Client, createClient } from '../../src/client/client.ts'
import type { KeyStore } from '../../src/providers/store.ts'
import { createStore } from '../../test/support/registries.ts'
import { percentile } from '../figures.ts'
import { openWatch } from '../live-file.ts'
import type { StreamResult } from '../prober.ts'
import { hostOf } from '../request.ts'
import { type Lab, onStageOf, type Stage } from './stage.ts'

export interface ApiResult {
  readonly objects: number
  /** By what is listed, in ms. */
  readonly lists: Readonly<Record<string, readonly number[]>>
  /** From the request that writes a frontend until each of twelve connections is served by it. */
  readonly inForceMs: readonly number[]
  /** Until a write with `wait` is answered. */
  readonly waitMs: readonly number[]
  readonly quiet: StreamResult
  readonly beside: StreamResult
  readonly apiPerSecond: number
  readonly apiFailures: number
  /** Of one API request beside the traffic. */
  readonly apiMs: readonly number[]
}

const API_PER_SECOND = 500
/** One in ten writes. */
const WRITE_EVERY = 10
const WARM_UP = 10

export function measureApi(lab: Lab): Promise<ApiResult> {
  const { apiObjects: objects, apiTurns: turns, apiSeconds: seconds } = lab.plan
  const open = async (
    ...[owner, ports]: Parameters<Parameters<typeof onStageOf>[1]>
  ): Promise<ReturnType<typeof createStore>> => {
    const store = createStore(owner, `${lab.folder}/api.db`)
    await fill(await store.keys(), objects, ports)
    return store
  }
  return onStageOf(lab, open, async (stage) => {
    await stage.startSluice()
    const client = createClient({ baseUrl: `http://127.0.0.1:${stage.adminPort}` })
    stage.after(() => client.close())
    const lists = await measureLists(client, turns)
    lab.say('lists are measured')
    const inForceMs = await measureWrites(stage, client, turns)
    const waitMs = await measureWaits(client, turns)
    lab.say('writes are measured')
    // Compiled code first, on both sides.
    await callSteadily(client, objects, 2)
    const before = stage.probe(1000)
    await pause(seconds * 1000)
    const quiet = (await before.finish()).streams['proxied']
    const during = stage.probe(1000)
    const calls = await callSteadily(client, objects, seconds)
    const beside = (await during.finish()).streams['proxied']
    if (quiet === undefined || beside === undefined) throw new Error('the prober saw nothing')
    return { objects, lists, inForceMs, waitMs, quiet, beside, ...calls }
  })
}

async function measureLists(
  client: Client,
  turns: number,
): Promise<Readonly<Record<string, readonly number[]>>> {
  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    '/api/objects/frontend': () => client.objects.list('frontend'),
    '/v2/frontends': () => client.vulcand.frontends.list(),
    '/v2/backends': () => client.vulcand.backends.list(),
    '/api/table?kind=frontend': () => client.table({ kind: 'frontend' }),
  }
  const found: Record<string, number[]> = {}
  for (const [name, call] of Object.entries(calls)) {
    for (let turn = 0; turn < turns; turn++) {
      const took = await timed(call)
      if (turn >= 2) (found[name] ??= []).push(took)
      await pause(20)
    }
  }
  return found
}

async function measureWrites(stage: Stage, client: Client, turns: number): Promise<number[]> {
  const watch = openWatch(stage.port, '/')
  stage.after(watch.close)
  const found: number[] = []
  for (let turn = 0; turn < WARM_UP + turns; turn++) {
    const status = 400 + (turn % 50)
    const began = performance.now()
    const written = client.objects.put('frontend', 'watched', answering('watched', status))
    const inForce = await watch.untilAll('watched.bench.test', status, 10_000)
    if (turn >= WARM_UP) found.push(inForce - began)
    await written
    await pause(20)
  }
  return found
}

async function measureWaits(client: Client, turns: number): Promise<number[]> {
  const found: number[] = []
  for (let turn = 0; turn < turns; turn++) {
    const value = answering('waited', 400 + (turn % 50))
    const took = await timed(async () => {
      const { status } = await client.objects.put('frontend', 'waited', value, { wait: 10_000 })
      if (status?.state !== 'in-force') throw new Error(`it is ${status?.state ?? 'gone'}`)
    })
    found.push(took)
    await pause(20)
  }
  return found
}

/** Requests at a constant rate, whether those before are answered or not. */
async function callSteadily(
  client: Client,
  objects: number,
  seconds: number,
): Promise<Pick<ApiResult, 'apiPerSecond' | 'apiFailures' | 'apiMs'>> {
  const apiMs: number[] = []
  let apiFailures = 0
  const calls: Promise<void>[] = []
  const began = performance.now()
  const count = API_PER_SECOND * seconds
  for (let sent = 0; sent < count; sent++) {
    const dueMs = began + (sent * 1000) / API_PER_SECOND - performance.now()
    if (dueMs > 1) await pause(dueMs)
    // Spread over the table, and never one of those that the traffic goes to.
    const id = `r${100 + ((sent * 7919) % (objects - 100))}`
    const call =
      sent % WRITE_EVERY === 0
        ? () => client.objects.patch('frontend', id, { labels: { turn: `t${sent % 100}` } })
        : () => client.objects.get('frontend', id)
    calls.push(
      timed(call).then(
        (took) => void apiMs.push(took),
        () => void apiFailures++,
      ),
    )
  }
  await Promise.all(calls)
  const apiPerSecond = count / ((performance.now() - began) / 1000)
  return { apiMs, apiFailures, apiPerSecond }
}

async function timed(call: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await call()
  return performance.now() - began
}

function answering(id: string, status: number): object {
  return { route: `Host("${id}.bench.test")`, respond: { status } }
}

/** Each frontend with a backend of its own, which has two servers. */
async function fill(keys: KeyStore, objects: number, ports: readonly number[]): Promise<void> {
  const numbers = Array.from({ length: objects }, (_, at) => at).values()
  const writer = async (): Promise<void> => {
    for (const number of numbers) {
      const servers = Object.fromEntries(
        ports.map((port, at) => [`s${at}`, `http://127.0.0.1:${port}`]),
      )
      const frontend = { route: `Host("${hostOf(number)}")`, backend: `b${number}` }
      await keys.put(`backends/b${number}/backend`, JSON.stringify({ servers }), {})
      await keys.put(`frontends/r${number}/frontend`, JSON.stringify(frontend), {})
    }
  }
  await Promise.all(Array.from({ length: 64 }, writer))
}

export interface ApiRow {
  readonly what: string
  readonly bar: string
  readonly found: string
  readonly isMet: boolean
}

export function apiRows(result: ApiResult, ms: (value: number) => string): readonly ApiRow[] {
  const { objects, lists, inForceMs, waitMs, quiet, beside } = result
  const ratio = beside.p99Ms / quiet.p99Ms
  const of = (samples: readonly number[]): string =>
    `p50 ${ms(percentile(samples, 0.5))}, p99 ${ms(percentile(samples, 0.99))}`
  const each = objects.toLocaleString('en')
  return [
    ...Object.entries(lists).map(([name, samples]) => ({
      what: `api: GET ${name} of ${each}`,
      bar: 'p50 < 200 ms',
      found: of(samples),
      isMet: percentile(samples, 0.5) < 200,
    })),
    {
      what: `api: PUT to in force in every thread, ${each} frontends and backends`,
      bar: 'p50 < 50 ms',
      found: `${of(inForceMs)}; PUT with wait to its answer ${of(waitMs)}`,
      isMet: percentile(inForceMs, 0.5) < 50 && percentile(waitMs, 0.5) < 50,
    },
    {
      what: `api: p99 of the traffic beside ${result.apiPerSecond.toFixed(0)} API requests/s, one in ten a write`,
      bar: '< 1.5 x quiet',
      found:
        `${ms(beside.p99Ms)}, quiet ${ms(quiet.p99Ms)}: ${ratio.toFixed(2)} x; ${beside.failed} requests failed; ` +
        `API ${of(result.apiMs)}, ${result.apiFailures} failed`,
      isMet: ratio < 1.5 && beside.failed === 0 && result.apiFailures === 0,
    },
  ]
}
