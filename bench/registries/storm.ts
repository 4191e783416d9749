/**
 * A thousand changes a second in a large table, under load. Beside "quiet" is what the same writes cost the machine
 * when Sluice does not see them (they go beside its root): registry, writer, load and Sluice share the cores here.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { KeyStore } from '../../src/providers/store.ts'
import { openKeys } from '../../test/support/keys.ts'
import { openWatch } from '../live-file.ts'
import { watchLoopDelays } from '../loop-delay.ts'
import type { LoopDelays } from '../loop-delay.ts'
import { residentBytes } from '../proc.ts'
import type { Prober, StreamResult } from '../prober.ts'
import { onStage, putAnswer, putRoute, routeOf } from './stage.ts'
import type { Lab } from './stage.ts'

export interface StormResult {
  readonly frontends: number
  readonly seconds: number
  readonly changes: number
  readonly changesPerSecond: number
  readonly quiet: StreamResult
  /** The same writes to keys that Sluice does not read. */
  readonly beside: StreamResult
  readonly storm: StreamResult
  /** As many changes, ten in one write: what the writer and the registry cost the machine falls to a tenth. */
  readonly batched: StreamResult
  readonly lastInForceMs: number
  readonly loopDelaysMs: LoopDelays
  /** Once a second, from before the storm to 10 s after it. */
  readonly residentBytes: readonly number[]
}

const REQUESTS_PER_SECOND = 1_000
const WARM_UP_SECONDS = 5
const IN_FLIGHT = 64
const CALM_SECONDS = 10

export function measureStorm(lab: Lab): Promise<StormResult> {
  const { frontends, stormSeconds, stormRate } = lab.plan
  return onStage(lab, 'etcd', frontends, async (stage, registry) => {
    const sluice = await stage.startSluice()
    const watch = openWatch(stage.port, '/')
    stage.after(watch.close)
    const keys = await registry.keys()
    const besideKeys = await openKeys('etcd', endpointOf(registry), '/beside')
    stage.after(() => besideKeys.close())
    await seen(stage.probe(REQUESTS_PER_SECOND), () => pause(WARM_UP_SECONDS * 1_000))

    lab.say('quiet')
    const quiet = await seen(stage.probe(REQUESTS_PER_SECOND), () => pause(stormSeconds * 1_000))
    lab.say('the same writes beside it')
    const beside = await seen(stage.probe(REQUESTS_PER_SECOND), async () => {
      await write(besideKeys, stormRate, stormSeconds, frontends)
    })
    lab.say('the storm')
    const memory: number[] = []
    const sampling = setInterval(() => memory.push(residentBytes(sluice.pids())), 1_000)
    stage.after(() => clearInterval(sampling))
    const loops = watchLoopDelays(stage.adminPort)
    stage.after(loops.finish)
    let changes = 0
    let tookSeconds = 0
    let lastInForceMs = NaN
    const storm = await seen(stage.probe(REQUESTS_PER_SECOND), async () => {
      const began = performance.now()
      changes = await write(keys, stormRate, stormSeconds, frontends)
      tookSeconds = (performance.now() - began) / 1_000
      const startedAt = performance.now()
      await putAnswer(keys, 'last', 410)
      lastInForceMs = (await watch.untilAll('last.bench.test', 410, 30_000)) - startedAt
    })
    const loopDelaysMs = loops.finish()
    lab.say('the storm, ten changes in a write')
    const batched = await seen(stage.probe(REQUESTS_PER_SECOND), () =>
      writeInTens(endpointOf(registry), stormRate, stormSeconds, frontends),
    )
    await pause(CALM_SECONDS * 1_000)
    return {
      frontends,
      seconds: tookSeconds,
      changes,
      changesPerSecond: changes / tookSeconds,
      quiet,
      beside,
      storm,
      batched,
      lastInForceMs,
      loopDelaysMs,
      residentBytes: memory,
    }
  })
}

function endpointOf({ source }: { source: Readonly<Record<string, unknown>> }): string {
  const [endpoint] = source['endpoints'] as readonly string[]
  if (endpoint === undefined) throw new Error('the registry has no endpoint')
  return endpoint
}

async function seen(prober: Prober, act: () => Promise<unknown>): Promise<StreamResult> {
  await act()
  const stream = (await prober.finish()).streams['proxied']
  if (stream === undefined) throw new Error('the prober saw nothing')
  return stream
}

/** Transactions of ten, by etcd's JSON gateway. */
async function writeInTens(
  endpoint: string,
  perSecond: number,
  seconds: number,
  frontends: number,
): Promise<void> {
  const total = (perSecond * seconds) / 10
  const began = performance.now()
  for (let turn = 0; turn < total; turn++) {
    while ((performance.now() - began) * (perSecond / 10_000) < turn) await pause(1)
    const backend = turn % 2 === 0 ? 'c' : 'b'
    const success = Array.from({ length: 10 }, (_, i) => {
      const [path, text] = routeOf(100 + ((turn * 10 + i) % (frontends - 100)), backend)
      const encode = (plain: string): string => Buffer.from(plain).toString('base64')
      return { requestPut: { key: encode(`/sluice/${path}`), value: encode(text) } }
    })
    const response = await fetch(`http://${endpoint}/v3/kv/txn`, {
      method: 'POST',
      body: JSON.stringify({ success }),
    })
    await response.arrayBuffer()
    if (!response.ok) throw new Error(`etcd returned ${response.status}`)
  }
}

/** At this rate, however long a single write takes, spread over the frontends that carry no load; returns how many. */
async function write(
  keys: KeyStore,
  perSecond: number,
  seconds: number,
  frontends: number,
): Promise<number> {
  const total = perSecond * seconds
  const began = performance.now()
  const underWay = new Set<Promise<void>>()
  for (let number = 0; number < total; number++) {
    while ((performance.now() - began) * (perSecond / 1_000) < number) await pause(1)
    if (underWay.size >= IN_FLIGHT) await Promise.race(underWay)
    const route = 100 + ((number * 7919) % (frontends - 100))
    // Every other time round the other way, so that each write is a change.
    const backend = Math.floor(number / (frontends - 100)) % 2 === 0 ? 'c' : 'b'
    const written = putRoute(keys, route, backend).then(() => void underWay.delete(written))
    underWay.add(written)
  }
  await Promise.all(underWay)
  return total
}
