/**
 * Attacks on HTTP/2 beside good clients of HTTP/1 and HTTP/2, each on a Sluice of its own with one thread that serves all: what the good
 * clients see, what it costs in memory, whether the attacker is cut off, and whether the log names it.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { reasonOf } from '../bench.ts'
import { logFileOf } from '../contender.ts'
import { freePorts } from '../site.ts'
import { cpuMicros, residentBytes } from '../proc.ts'
import { type Arena, GUARDED, type Lab, onArena, runPhases } from './arena.ts'
import {
  ATTACKS,
  type Attacked,
  type AttackedConnection,
  type AttackedCounts,
  type Attacker,
  type ChaosAttack,
  startAttacked,
  startAttacker,
  TIMEOUTS,
} from './attack.ts'
import { type Check, ms } from './check.ts'
import type { Phase } from './figures.ts'

export interface AttackResult {
  readonly attack: string
  readonly before: Phase
  readonly during: Phase
  readonly after: Phase
  /** Resident, at most: before the attack, and from its beginning on. */
  readonly quietBytes: number
  readonly mostBytes: number
  /** Of one core, by the Sluice that is attacked. */
  readonly cpuShare: number
  /** Of the attacker, those that were closed by its own end left out. */
  readonly cut: number
  readonly open: number
  /** How connections ended, and how often. */
  readonly ends: Readonly<Record<string, number>>
  readonly slowestCutMs: number
  readonly frames: number
  /** At the server behind it, by the attack. */
  readonly server: AttackedCounts
  /** The line of the log that names one of its connections; null: there is none. */
  readonly named: string | null
  readonly isBorne: boolean
  readonly notes: readonly string[]
  readonly ownStallMs: number
}

export interface AttacksResult {
  readonly attacks: readonly (AttackResult | { readonly attack: string; readonly error: string })[]
}

const CONNECTIONS = 4
const HTTP2_SESSIONS = 8
const MOST_TIMES = 1.5
const MOST_GROWTH = 32 * 1024 * 1024
const SAMPLE_MS = 50
/** Part of a name: for a look at some attacks alone. */
const ONLY = process.env['CHAOS_ATTACK'] ?? ''
/** The attack goes to another Sluice on this machine: what is left is what the attack costs the machine, and not Sluice. */
const IS_CONTROL = process.env['CHAOS_CONTROL'] === '1'

export async function runAttacks(lab: Lab): Promise<AttacksResult> {
  const attacks: AttacksResult['attacks'][number][] = []
  for (const attack of ATTACKS.filter(({ name }) => name.includes(ONLY))) {
    lab.say(`  ${attack.name}`)
    // One that fails does not take the others' figures with it.
    attacks.push(
      await runAttack(lab, attack).catch((error: unknown) => ({
        attack: attack.name,
        error: reasonOf(error),
      })),
    )
  }
  return { attacks }
}

async function runAttack(lab: Lab, attack: ChaosAttack): Promise<AttackResult> {
  const [port = 0] = await freePorts(1)
  const extra = {
    listener: { timeouts: TIMEOUTS },
    backends: { attacked: { servers: { one: `http://127.0.0.1:${port}` } } },
    frontends: { attacked: { route: 'Host("test.example")', backend: 'attacked' } },
  }
  const options = { name: 'attack', workers: 1, backend: GUARDED, extra }
  return onArena(lab, options, async (arena) => {
    const attacked = await startAttacked(arena, port)
    if (!IS_CONTROL) return attackOn(lab, attack, arena, arena, attacked)
    const alone = { respond: { status: 200 } }
    const other = { name: 'control', workers: 1, backend: null, frontend: alone, extra }
    return onArena(lab, other, (target) => attackOn(lab, attack, arena, target, attacked))
  })
}

/** `arena`: of the good clients. `target`: what is attacked. */
async function attackOn(
  lab: Lab,
  attack: ChaosAttack,
  arena: Arena,
  target: Arena,
  attacked: Attacked,
): Promise<AttackResult> {
  const memory = watchMemory(arena)
  let attacker: Attacker | null = null
  let connections: readonly AttackedConnection[] = []
  let quietBytes = 0
  const faultMs = Math.max(lab.plan.attackMs, attack.leastMs)
  let cpuBefore = 0
  let cpuDuring = 0
  const run = await runPhases(
    arena,
    lab.plan,
    { http2Sessions: HTTP2_SESSIONS },
    {
      faultMs,
      begin() {
        quietBytes = memory.takeMost()
        cpuBefore = cpuMicros(target.sluice.pids())
        const plan = { port: target.port, attack: attack.name, connections: CONNECTIONS }
        attacker = startAttacker(arena, plan)
      },
      async end() {
        cpuDuring = cpuMicros(target.sluice.pids()) - cpuBefore
        connections = (await attacker?.finish()) ?? []
      },
    },
  )
  const ended = connections.filter(({ how }) => how !== 'open')
  return {
    attack: attack.name,
    before: run.phase(run.quiet),
    during: run.phase(run.fault),
    after: run.phase(run.after),
    quietBytes,
    mostBytes: memory.takeMost(),
    cpuShare: cpuDuring / 1000 / faultMs,
    cut: ended.length,
    open: connections.length - ended.length,
    ends: countEnds(connections),
    slowestCutMs: Math.max(0, ...ended.map((one) => one.ms)),
    frames: connections.reduce((sum, { units }) => sum + units, 0),
    server: await attacked.look(),
    named: await lineNaming(target, connections),
    isBorne: attack.isBorne,
    notes: run.load.notes,
    ownStallMs: run.load.ownStallMs,
  }
}

function watchMemory({ sluice, after }: Arena): { takeMost(): number } {
  const pids = sluice.pids()
  let most = 0
  const sample = (): void => void (most = Math.max(most, residentBytes(pids)))
  const sampling = setInterval(sample, SAMPLE_MS)
  after(() => clearInterval(sampling))
  return {
    takeMost() {
      sample()
      const taken = most
      most = 0
      return taken
    },
  }
}

function countEnds(connections: readonly AttackedConnection[]): Record<string, number> {
  const ends: Record<string, number> = {}
  for (const { how } of connections) ends[how] = (ends[how] ?? 0) + 1
  return ends
}

async function lineNaming(
  { sluice }: Arena,
  connections: readonly AttackedConnection[],
): Promise<string | null> {
  const peers = new Set(connections.map(({ port }) => `127.0.0.1:${port}`))
  // The log is written a moment later.
  await pause(200)
  for (const line of readFileSync(logFileOf(sluice.site), 'utf8').split('\n')) {
    const [, peer = '', what] =
      /connection of (\S+) was (?:cut off|closed)[^:]*: ([^"]*)/.exec(line) ?? []
    if (what !== undefined && peers.has(peer)) return what
  }
  return null
}

export function judgeAttacks({ attacks }: AttacksResult): Check[] {
  return attacks.map((result) => {
    const of = result.attack
    const bar = `good p99 <= ${MOST_TIMES} x, none failed, < ${mib(MOST_GROWTH)}, cut, named`
    if ('error' in result) return { of, bar, found: result.error, isMet: false }
    const missed = missedBy(result)
    const { before, during, cut, open, frames, slowestCutMs, server, ends } = result
    const attacker = result.isBorne
      ? `borne (${JSON.stringify(ends)})`
      : `${cut} of ${cut + open} connections cut, the slowest in ${ms(slowestCutMs)} (${JSON.stringify(ends)})`
    return {
      of,
      bar,
      found:
        `p99 ${ms(before.p99Ms)} -> ${ms(during.p99Ms)} (${timesOf(result).toFixed(2)} x), ` +
        `${failedOf(result)} failed, ${mib(grownBy(result))} more, ${Math.round(result.cpuShare * 100)} % of a core; ${attacker}, ${frames} frames, ` +
        `${server.connections} connections and ${server.requests} requests upstream; ` +
        `named: ${result.named ?? 'not'}` +
        (missed.length === 0 ? '' : `; missed: ${missed.join(', ')}`),
      isMet: missed.length === 0,
    }
  })
}

function missedBy(result: AttackResult): string[] {
  const { cut, open, named, isBorne } = result
  const missed: string[] = []
  if (timesOf(result) > MOST_TIMES) missed.push('p99')
  if (failedOf(result) > 0) missed.push('failed')
  if (grownBy(result) >= MOST_GROWTH) missed.push('memory')
  // Those that are open at the end are the last ones, one a lane at most.
  if (!isBorne && (cut < CONNECTIONS || open > CONNECTIONS)) missed.push('cut')
  if (!isBorne && named === null) missed.push('named')
  return missed
}

function timesOf({ before, during }: AttackResult): number {
  return during.p99Ms / before.p99Ms
}

function failedOf({ before, during, after }: AttackResult): number {
  const phases = [before, during, after]
  return phases.reduce((sum, phase) => sum + phase.failedIdempotent + phase.failedOther, 0)
}

function grownBy({ quietBytes, mostBytes }: AttackResult): number {
  return mostBytes - quietBytes
}

function mib(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`
}
