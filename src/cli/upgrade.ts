/** `sluice upgrade`: has the running program start its successor, and says how that went. */
import { messageOf } from '../model/error-message.ts'
import { type ProcessReport, UPGRADE_WITHIN_MS } from '../observe/reports/process-report.ts'

export interface UpgradeCommand {
  /** The program to start, absolute; null: the running one, as it is installed. */
  readonly to: string | null
  /** How long the new program may take to serve; null: as long as after a signal alone. */
  readonly withinMs: number | null
}

export interface UpgradeWorld {
  /** /api/process of the running program. A text says why there is no answer. */
  readonly ask: () => Promise<ProcessReport | string>
  /** Whether that process is one of this machine: process ids of another one mean nothing here. */
  readonly isHere: (report: ProcessReport) => boolean
  /** Leaves the request for the program. Throws with one line. */
  readonly request: (
    folder: string,
    wanted: { readonly to: string | null; readonly withinMs: number },
  ) => void
  /** Sends SIGUSR2. Throws with one line. */
  readonly signal: (pid: number) => void
  readonly now: () => number
  readonly sleep: (ms: number) => Promise<unknown>
  readonly print: (line: string) => void
  readonly complain: (line: string) => void
}

const ASK_EVERY_MS = 100
/** Beyond the limit of the program itself. */
const LATE_MS = 10_000

/** Returns the exit code: 0: the new program serves; 1: it does not. */
export async function runUpgrade(command: UpgradeCommand, world: UpgradeWorld): Promise<0 | 1> {
  const { ask, now, sleep, print, complain } = world
  const before = await ask()
  if (typeof before === 'string') {
    complain(`sluice: there is no program to upgrade: ${before}`)
    return 1
  }
  try {
    begin(command, before, world)
  } catch (error) {
    complain(`sluice: ${messageOf(error)}`)
    return 1
  }
  const { pid, upgrade } = before
  const withinMs = command.withinMs ?? UPGRADE_WITHIN_MS
  const until = now() + withinMs + LATE_MS
  for (;;) {
    const report = await ask()
    if (typeof report !== 'string') {
      if (report.pid !== pid) {
        print(`process ${report.pid} serves (version ${report.version}), process ${pid} drains`)
        return 0
      }
      if (report.upgrade.attempts > upgrade.attempts && report.upgrade.state === 'failed') {
        const { reason } = report.upgrade
        complain(`sluice: the upgrade failed, process ${pid} goes on serving: ${reason}`)
        return 1
      }
    }
    if (now() > until) {
      complain(`sluice: it is not known how the upgrade of process ${pid} went: see its log`)
      return 1
    }
    await sleep(ASK_EVERY_MS)
  }
}

function begin(
  { to, withinMs }: UpgradeCommand,
  report: ProcessReport,
  { isHere, request, signal }: UpgradeWorld,
): void {
  const { pid, data, upgrade } = report
  if (!isHere(report)) {
    throw new Error(
      `the admin that responds is that of process ${pid} on another machine or in another container: run this beside it`,
    )
  }
  if (upgrade.state === 'starting') {
    throw new Error(`process ${pid} starts ${upgrade.to ?? 'its successor'} already`)
  }
  if (to !== null || withinMs !== null) {
    request(data, { to, withinMs: withinMs ?? UPGRADE_WITHIN_MS })
  }
  signal(pid)
}
