/** The states of servers that Sluice reports, requested every few milliseconds while a fault runs. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Owner } from '../../test/support/daemon.ts'
import { askAdmin } from '../../test/support/program.ts'
import { createWatch } from '../../test/support/until.ts'
import { clockMs } from './clock.ts'
import type { Span } from './figures.ts'
import type { ChaosServer } from './server.ts'

export interface StateChange {
  readonly atMs: number
  readonly url: string
  readonly state: string
  readonly reason: string | null
}

export interface StateWatch {
  readonly changes: readonly StateChange[]
  readonly untilUp: (servers: readonly ChaosServer[]) => Promise<void>
  /** How long after the beginning of the span it was said to be out, and why; null: never within it. */
  readonly outAfter: (
    server: ChaosServer,
    span: Span,
  ) => { readonly ms: number; readonly why: string } | null
}

interface ServerReport {
  readonly url: string
  readonly state: string
  readonly reason: string | null
}

const EVERY_MS = 50
const UP_WITHIN_MS = 10_000

export function watchStates(owner: Owner, adminPort: number): StateWatch {
  const watch = createWatch()
  const changes: StateChange[] = []
  const states = new Map<string, string>()
  let isOver = false
  const looking = look()
  owner.after(() => {
    isOver = true
    return looking
  })

  async function look(): Promise<void> {
    while (!isOver) {
      const response = await askAdmin(adminPort, '/api/servers').catch(() => null)
      if (response?.status === 200) note(JSON.parse(response.text) as readonly ServerReport[])
      await pause(EVERY_MS)
    }
  }

  function note(reports: readonly ServerReport[]): void {
    const atMs = clockMs()
    for (const { url, state, reason } of reports) {
      if (states.get(url) === state) continue
      states.set(url, state)
      changes.push({ atMs, url, state, reason })
    }
    watch.changed()
  }

  return {
    changes,
    async untilUp(servers) {
      const areUp = (): boolean => servers.every(({ url }) => states.get(url) === 'up')
      await watch.until(areUp, 'all servers are up', UP_WITHIN_MS)
    },
    outAfter({ url }, { fromMs, toMs }) {
      const out = changes.find(
        (change) =>
          change.url === url &&
          change.atMs >= fromMs &&
          change.atMs < toMs &&
          (change.state === 'down' || change.state === 'ejected'),
      )
      if (out === undefined) return null
      return { ms: out.atMs - fromMs, why: `${out.state}: ${out.reason ?? 'no reason'}` }
    },
  }
}
