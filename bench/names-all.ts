/**
 * A name with three addresses, each of them a server (`resolve: all`): one is replaced under load, then the resolver is dead for 30 s.
 * Beside it, requests to another name.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import {
  EXPANDED,
  FOURTH,
  openExpandedWorld,
  OTHER,
  THREE,
} from '../test/support/expanded-world.ts'
import { startNamedLoad } from '../test/support/named-load.ts'
import { type Check, ms } from './chaos/check.ts'
import { statusOf } from './contender.ts'
import { serve } from './contenders/ours.ts'
import { percentile } from './figures.ts'
import { start } from './processes.ts'
import { freePorts } from './site.ts'

const LOAD = { clients: 16, pauseMs: 2 }
const QUIET_MS = 10_000
const DEAD_MS = 30_000
/** The time to live and one lookup. */
const FOLLOWED_MS = 2_000

export interface ExpandedPhase {
  readonly name: 'quiet' | 'replaced' | 'dead' | 'back'
  readonly requests: number
  readonly failed: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  /** Lookups that arrived at the DNS server. */
  readonly lookups: number
}

export interface ExpandedFigures {
  readonly phases: readonly ExpandedPhase[]
  /** From the change of the records to the first response of the new address, and to the last one of the old. */
  readonly joinedMs: number
  readonly leftMs: number
  readonly checks: readonly Check[]
}

export async function measureExpanded(folder: string, quick: boolean): Promise<ExpandedFigures> {
  const ends: (() => unknown)[] = []
  const world = await openExpandedWorld({ after: (end) => void ends.push(end) })
  const [port = 0, admin = 0] = await freePorts(2)
  const config = join(folder, 'names-all.json')
  const listeners = { web: { address: `127.0.0.1:${port}` } }
  const settings = { workers: 1, admin: { address: `127.0.0.1:${admin}` }, log: { access: 'off' } }
  writeFileSync(config, JSON.stringify({ ...world.config(), ...settings, listeners }))
  const sluice = start(serve(config), 'any', join(folder, 'output.log'))
  while ((await statusOf(port, EXPANDED, '/')) !== 200) {
    if (sluice.ended()) throw new Error(`Sluice did not start: ${sluice.lastWords()}`)
    await pause(50)
  }

  let took: number[] = []
  let failed = 0
  const lastSeen = new Map<string, number>()
  const firstSeen = new Map<string, number>()
  const load = startNamedLoad(port, [EXPANDED, OTHER], LOAD, ({ name, status, body, tookMs }) => {
    took.push(tookMs)
    if (status !== 200) failed++
    if (name !== EXPANDED) return
    const now = performance.now()
    if (!firstSeen.has(body)) firstSeen.set(body, now)
    lastSeen.set(body, now)
  })

  async function measure(
    name: ExpandedPhase['name'],
    run: () => Promise<unknown>,
  ): Promise<ExpandedPhase> {
    took = []
    failed = 0
    const { length } = world.dns.questions
    await run()
    const of = (share: number): number => percentile(took, share)
    const phase = {
      ...{ name, requests: took.length, failed },
      ...{ p50Ms: of(0.5), p99Ms: of(0.99), maxMs: of(1) },
      lookups: world.dns.questions.length - length,
    }
    const { requests, p50Ms, p99Ms, maxMs } = phase
    const line = `${requests} requests, ${failed} failed, p50 ${ms(p50Ms)}, p99 ${ms(p99Ms)}`
    console.error(`  ${name}: ${line}, longest ${ms(maxMs)}, ${phase.lookups} lookups`)
    return phase
  }

  await pause(2_000)
  const quiet = await measure('quiet', () => pause(quick ? 2_000 : QUIET_MS))
  const began = performance.now()
  const replaced = await measure('replaced', async () => {
    world.put([THREE[0], THREE[1], FOURTH])
    await pause(quick ? 4_000 : QUIET_MS)
  })
  const joinedMs = (firstSeen.get(FOURTH) ?? Infinity) - began
  const leftMs = (lastSeen.get(THREE[2]) ?? Infinity) - began
  const dead = await measure('dead', async () => {
    await world.dns.die()
    await pause(quick ? 5_000 : DEAD_MS)
  })
  const back = await measure('back', async () => {
    await world.dns.comeBack()
    await pause(quick ? 2_000 : QUIET_MS)
  })
  await load.stop()
  await sluice.stop()
  for (const end of ends) await end()
  const phases = [quiet, replaced, dead, back]
  const figures = { phases, joinedMs, leftMs }
  return { ...figures, checks: judge(figures) }
}

function judge({ phases, joinedMs, leftMs }: Omit<ExpandedFigures, 'checks'>): readonly Check[] {
  const sum = (count: (phase: ExpandedPhase) => number): number =>
    phases.reduce((total, phase) => total + count(phase), 0)
  const failed = sum((phase) => phase.failed)
  const requests = sum((phase) => phase.requests)
  const [quiet, , dead] = phases
  return [
    {
      of: 'names, resolve: all',
      bar: '0 failed requests while an address is replaced and the resolver is dead for 30 s',
      found: `${failed} of ${requests}`,
      isMet: failed === 0,
    },
    {
      of: 'names, resolve: all',
      bar: `a replaced address in use, and the old one out of it, within ${FOLLOWED_MS} ms`,
      found: `in use after ${ms(joinedMs)}, out after ${ms(leftMs)}`,
      isMet: joinedMs <= FOLLOWED_MS && leftMs <= FOLLOWED_MS,
    },
    {
      of: 'names, resolve: all',
      bar: 'no lookup on the path of a request: lookups by time to live, not by requests',
      found: `${quiet?.lookups} lookups for ${quiet?.requests} requests; p99 with a dead resolver ${ms(dead?.p99Ms ?? 0)}, quiet ${ms(quiet?.p99Ms ?? 0)}`,
      isMet: quiet !== undefined && quiet.lookups * 10 < quiet.requests,
    },
  ]
}
