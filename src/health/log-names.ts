/** Logs when a name begins to fail, and when it is resolved again. */
import type { Resolver } from '../dns/resolver.ts'
import { createLimitedLog } from './limited-log.ts'
import type { Log } from '../observe/log.ts'

export function logNames(resolver: Pick<Resolver, 'onState'>, log: Log, now: () => number): void {
  const journal = createLimitedLog(log, 'changes of names: see /api/servers')

  resolver.onState(({ name, addresses, failing, lastFailure }) => {
    journal.tick(now())
    if (!failing) {
      journal.info({ name, addresses }, `${name} is resolved`)
      return
    }
    const reason = lastFailure?.reason ?? 'for no reason that is known'
    const meanwhile =
      addresses.length === 0
        ? 'requests to it fail until it is'
        : `its last good addresses are used: ${addresses.join(', ')}`
    journal.warn({ name, reason, addresses }, `${name} cannot be resolved: ${reason}; ${meanwhile}`)
  })
}
