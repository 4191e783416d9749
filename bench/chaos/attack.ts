/** The attackers of `http2-attacks`, and the server that their requests go to: the other ends of attack.process.ts and attacked.process.ts. */
import { createInterface } from 'node:readline'
import type { Owner } from '../../test/support/daemon.ts'
import { BLOCKS, FLOODS, FRAGMENTS, type Attack } from '../../test/support/http2/attacks.ts'
import {
  SILENCES,
  SLOW_BODIES,
  SLOW_SETTINGS,
  WINDOW_GAMES,
  type SlowAttack,
} from '../../test/support/http2/slow-attacks.ts'
import { converse } from '../processes.ts'
import { type PlannedProcess, programOf, startPlanned } from './planned-process.ts'

export interface ChaosAttack extends Pick<Attack, 'name' | 'options' | 'start'> {
  readonly isDeaf: boolean
  /** Null: as fast as it is taken. */
  readonly everyMs: number | null
  /** What it does is legal, and is not cut off. */
  readonly isBorne: boolean
  /** It is cut off after so long, at the earliest. */
  readonly leastMs: number
}

export interface AttackPlan {
  readonly port: number
  readonly attack: string
  readonly connections: number
}

export interface AttackedConnection {
  /** The attacker's own. */
  readonly port: number
  /** `open`: not until the end of the attack. */
  readonly how: string
  readonly ms: number
  readonly units: number
}

/** What the server behind the attack has seen. */
export interface AttackedCounts {
  readonly connections: number
  readonly requests: number
  /** That were sent completely. */
  readonly responses: number
}

/** Of the listener that is attacked: what is bound by time is to end within an attack. */
export const TIMEOUTS = { head: '2s', body: '3s' }
const SOON_MS = 5_000
/** The time limit of SETTINGS is fixed. */
const SETTINGS_MS = 11_000

const flood = { isDeaf: false, everyMs: null, isBorne: false, leastMs: 0 }

export const ATTACKS: readonly ChaosAttack[] = [
  ...[...FLOODS, ...BLOCKS].map((attack) => ({ ...attack, ...flood })),
  ...FRAGMENTS.map((attack) => ({ ...attack, ...flood, isBorne: true })),
  ...slow([...WINDOW_GAMES, ...SILENCES, ...SLOW_BODIES], SOON_MS),
  ...slow(SLOW_SETTINGS, SETTINGS_MS),
]

function slow(attacks: readonly SlowAttack[], leastMs: number): ChaosAttack[] {
  return attacks.map((attack) => ({
    ...attack,
    isDeaf: attack.isDeaf === true,
    isBorne: false,
    leastMs,
  }))
}

export type Attacker = PlannedProcess<readonly AttackedConnection[]>

export function startAttacker(owner: Owner, plan: AttackPlan): Attacker {
  return startPlanned(owner, programOf('attack'), plan)
}

export interface Attacked {
  readonly look: () => Promise<AttackedCounts>
}

export async function startAttacked(owner: Owner, port: number): Promise<Attacked> {
  const child = converse([process.execPath, programOf('attacked'), String(port)])
  child.stdin?.on('error', () => {})
  owner.after(() => child.kill('SIGKILL'))
  if (child.stdout === null) throw new Error('the server has no output')
  const lines = createInterface({ input: child.stdout })
  const next = (): Promise<string> => new Promise((resolve) => lines.once('line', resolve))
  await next()
  return {
    async look() {
      const line = next()
      child.stdin?.write('look\n')
      return JSON.parse(await line) as AttackedCounts
    },
  }
}
