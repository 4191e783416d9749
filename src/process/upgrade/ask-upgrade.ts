/** What `sluice upgrade` works with: the admin of the running program, its data folder, and its process. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ProcessReport } from '../../observe/reports/process-report.ts'
import { helpFor } from '../../cli/admin-client.ts'
import type { UpgradeWorld } from '../../cli/upgrade.ts'
import type { Client } from '../../client/client.ts'
import { processStart } from './process-start.ts'
import { writeRequest } from './request.ts'

const PATIENCE_MS = 2_500

export function openUpgrade(
  client: Client,
  world: Pick<UpgradeWorld, 'print' | 'complain'>,
): UpgradeWorld {
  return {
    ...world,
    ask: () => ask(client),
    isHere: ({ pid, started }) => started === null || processStart(pid) === started,
    request(folder, wanted) {
      try {
        writeRequest(folder, wanted)
      } catch (cause) {
        throw new Error(`cannot ask for it in the data folder ${folder}: ${toReason(cause)}`, {
          cause,
        })
      }
    },
    signal(pid) {
      try {
        process.kill(pid, 'SIGUSR2')
      } catch (cause) {
        throw new Error(
          `cannot signal process ${pid}: ${toReason(cause)}; run this as its user or as root`,
          { cause },
        )
      }
    },
    now: () => performance.now(),
    sleep: (ms) => sleep(ms),
  }
}

async function ask(client: Client): Promise<ProcessReport | string> {
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS)
    const { body } = await client.request({ method: 'GET', path: '/api/process', signal })
    return body as ProcessReport
  } catch (error) {
    return `${toReason(error)}${helpFor(error)}`
  }
}

function toReason(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
