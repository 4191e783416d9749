/** What `sluice upgrade` works with: the admin of the running program, its data folder, and its process. */
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../model/error-message.ts'
import type { ProcessReport } from '../../observe/reports/process-report.ts'
import { helpFor } from '../../cli/admin-client.ts'
import type { UpgradeWorld } from '../../cli/upgrade.ts'
import type { Client } from '../../client/client.ts'
import { processStart } from '../../model/process-start.ts'
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
        throw new Error(`cannot ask for it in the data folder ${folder}: ${messageOf(cause)}`, {
          cause,
        })
      }
    },
    signal(pid) {
      // A stranger on the admin's port may name any process, which the signal would end if it does not expect it.
      if (!catchesUpgrade(pid)) {
        throw new Error(
          `process ${pid}, which the admin names, does not wait for SIGUSR2: it is no Sluice that serves, and nothing was sent`,
        )
      }
      try {
        process.kill(pid, 'SIGUSR2')
      } catch (cause) {
        throw new Error(
          `cannot signal process ${pid}: ${messageOf(cause)}; run this as its user or as root`,
          { cause },
        )
      }
    },
    now: () => performance.now(),
    sleep: (ms) => sleep(ms),
  }
}

/** False only where the system says so: SigCgt of proc(5) is the mask of caught signals. */
export function catchesUpgrade(pid: number, root: string = '/proc'): boolean {
  let status: string
  try {
    status = readFileSync(`${root}/${pid}/status`, 'utf8')
  } catch {
    return true
  }
  const caught = /^SigCgt:\t([\da-f]+)$/m.exec(status)?.[1]
  if (caught === undefined) return true
  return (BigInt(`0x${caught}`) & (1n << BigInt(constants.signals.SIGUSR2 - 1))) !== 0n
}

async function ask(client: Client): Promise<ProcessReport | string> {
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS)
    const { body } = await client.request({ method: 'GET', path: '/api/process', signal })
    return body as ProcessReport
  } catch (error) {
    return `${messageOf(error)}${helpFor(error)}`
  }
}
