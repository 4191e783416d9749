/** All that a run has found: what the table, the chart and the JSON file are made of. */
import { execFileSync } from 'node:child_process'
import { availableParallelism, cpus, loadavg, release } from 'node:os'
import type { Contender } from './contender.ts'
import type { Plan } from './plan.ts'
import { isPinned } from './processes.ts'
import type { ChangeResult, GrowResult } from './scenarios/change.ts'
import type { MemoryResult } from './scenarios/memory.ts'
import type { ReadyResult } from './scenarios/ready.ts'
import type { ShareResult } from './scenarios/share.ts'
import type { TcpResult } from './scenarios/tcp.ts'
import type { TimedResult } from './scenarios/timed.ts'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly pinned: boolean
  readonly kernel: string
  readonly node: string
  readonly origins: string
  readonly generator: string
  /** Before the bench began: above a half, another program is at work. */
  readonly loadBefore: number
  readonly commit: string | null
}

export interface Results {
  readonly date: string
  readonly plan: Plan
  readonly machine: Machine
  readonly versions: Readonly<Record<string, string>>
  /** Contenders that were not timed, and why. */
  readonly leftOut: readonly string[]
  readonly small?: TimedResult
  readonly large?: TimedResult
  readonly tls?: TimedResult
  readonly logged?: TimedResult
  readonly routes?: TimedResult
  readonly autocannon?: TimedResult
  readonly memory?: readonly MemoryResult[]
  readonly tcp?: TcpResult
  readonly h2?: TimedResult
  readonly 'h2-single'?: TimedResult
  readonly 'h2-varied'?: TimedResult
  readonly 'h2-large'?: TimedResult
  readonly 'h2-upstream'?: TimedResult
  readonly 'h2-idle'?: readonly MemoryResult[]
  readonly ready?: ReadyResult
  readonly change?: ChangeResult
  readonly grow?: GrowResult
  readonly share?: ShareResult
}

export function describeMachine(origins: string, generator: string): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    pinned: isPinned(),
    kernel: release(),
    node: process.version,
    origins,
    generator,
    loadBefore: loadavg()[0] ?? NaN,
    commit: commit(),
  }
}

export function versionsOf(contenders: readonly Contender[]): Record<string, string> {
  return Object.fromEntries(
    contenders.map((contender) => [contender.title, contender.version() ?? 'not installed']),
  )
}

function commit(): string | null {
  try {
    const hash = execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return hash.toString().trim()
  } catch {
    return null // Not a checkout.
  }
}
