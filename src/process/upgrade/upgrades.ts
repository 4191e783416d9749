/**
 * Live upgrades: SIGUSR2 starts the new program with the listening sockets of this one. Once it serves, this one drains; if it
 * does not come to serve, this one goes on as if nothing had been asked.
 */
import { messageOf } from '../../model/error-message.ts'
import type { ListeningSocket } from '../../model/listening-socket.ts'
import type { Log } from '../../observe/log.ts'
import { UPGRADE_WITHIN_MS, type UpgradeStatus } from '../../observe/reports/process-report.ts'
import type { Begin } from './channel.ts'
import { takeRequest } from './request.ts'
import { startSuccessor, type Successor } from './successor.ts'

export interface Upgrades {
  /** Takes the signal. */
  begin(): void
  /** Resolves when this program is to end: with the signal that stops it, or when a successor serves. */
  untilEnd(stop: Promise<NodeJS.Signals>): Promise<NodeJS.Signals | Successor>
  status(): UpgradeStatus
  /** The program stops: ends a successor that does not serve yet. */
  stop(): void
}

export interface UpgradesOptions {
  readonly pid: number
  readonly uid: number
  /** Where a request is. */
  readonly data: string
  readonly env: NodeJS.ProcessEnv
  readonly commandOf: (to: string | null) => readonly string[]
  /** Why there can be none now; null: there can. */
  readonly refusal: () => string | null
  readonly sockets: () => Promise<readonly ListeningSocket[]>
  readonly secrets: () => Pick<Begin, 'secret' | 'ticketKeys'>
  readonly lastGood: () => Required<Begin>['lastGood']
  /** Whether a successor that has begun to start goes on, and is waited for, when this program gets a signal to stop. */
  readonly outlivesStop: boolean
  readonly log: Log
}

const DEFAULTS = { to: null, withinMs: UPGRADE_WITHIN_MS }

export function createUpgrades(options: UpgradesOptions): Upgrades {
  const { pid, uid, data, env, commandOf, refusal, sockets, secrets, log } = options
  const handedOver = Promise.withResolvers<Successor>()
  const stopping = new AbortController()
  /** The last upgrade. */
  let under: Promise<void> = Promise.resolve()
  let status: UpgradeStatus = { attempts: 0, state: 'none', to: null, reason: null }

  async function upgrade(): Promise<void> {
    status = { attempts: status.attempts + 1, state: 'starting', to: null, reason: null }
    try {
      const reason = pid === 1 ? PID_1 : refusal()
      if (reason !== null) throw new Error(reason)
      const { to, withinMs } = takeRequest(data, uid) ?? DEFAULTS
      const command = commandOf(to)
      status = { ...status, to: to ?? command[0] ?? null }
      log.info({ to: status.to }, 'an upgrade begins')
      const { signal } = stopping
      const successor = await startSuccessor({
        ...{ command, env, withinMs, signal, ...secrets() },
        ...{ sockets: await sockets(), lastGood: options.lastGood().map(toName) },
      })
      status = { ...status, state: 'done' }
      const { pid: next, version } = successor
      log.info({ to: status.to, pid: next, version }, `process ${next} serves, this one drains`)
      handedOver.resolve(successor)
    } catch (error) {
      const reason = messageOf(error)
      status = { ...status, state: 'failed', reason }
      log.error(
        { to: status.to, reason },
        `the upgrade failed, this program goes on serving: ${reason}`,
      )
    }
  }

  return {
    begin() {
      if (status.state === 'starting' || status.state === 'done') {
        log.warn(
          { to: status.to },
          'an upgrade is under way: the signal for another one has no effect',
        )
      } else under = upgrade()
    },
    async untilEnd(stop) {
      const end = await Promise.race([stop, handedOver.promise])
      if (typeof end !== 'string' || !options.outlivesStop || status.state !== 'starting')
        return end
      log.info({ signal: end, to: status.to }, 'ends once the upgrade that is under way has')
      await under.catch(() => {})
      return Promise.race([handedOver.promise, Promise.resolve(end)])
    },
    status: () => status,
    stop: () => stopping.abort(),
  }
}

const PID_1 =
  'this is process 1 of its container, which ends with it: replace the container, or start it with an init that outlives the program'

function toName({ kind, id }: { readonly kind: string; readonly id: string }): {
  readonly kind: string
  readonly id: string
} {
  return { kind, id }
}
