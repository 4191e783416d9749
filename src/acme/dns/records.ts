/** The TXT records of dns-01: set by a hook or by updates, and waited for. */
import { Resolver } from 'node:dns/promises'
import type { DnsSettings } from '../../model/acme-settings.ts'
import type { DnsRecords } from '../orders/prove.ts'
import type { AcmeWorld } from '../orders/world.ts'
import { runHook } from './hook.ts'
import { updateTxt } from './update.ts'

const LOOK_MS = 2_000
const QUERY_MS = 3_000

export function createDnsRecords(
  { way, propagation }: DnsSettings,
  world: AcmeWorld,
  warn: (text: string) => void,
): DnsRecords {
  async function change(
    action: 'present' | 'cleanup',
    name: string,
    value: string,
    signal?: AbortSignal,
  ): Promise<void> {
    if (way.kind === 'hook') {
      await runHook(way.command, [action, name, value], way.timeoutMs, signal)
    } else {
      const kind = action === 'present' ? 'add' : 'delete'
      await updateTxt(way, { action: kind, name, value }, signal)
    }
  }

  async function isShown(server: string, name: string, value: string): Promise<boolean> {
    const resolver = new Resolver({ timeout: QUERY_MS, tries: 1 })
    resolver.setServers([server])
    try {
      const records = await resolver.resolveTxt(name)
      return records.some((parts) => parts.join('') === value)
    } catch {
      return false
    }
  }

  async function awaitShown(name: string, value: string, signal: AbortSignal): Promise<void> {
    const until = world.now() + propagation.timeoutMs
    let missing = [...propagation.servers]
    for (;;) {
      const shown = await Promise.all(missing.map((server) => isShown(server, name, value)))
      missing = missing.filter((_, at) => shown[at] !== true)
      if (missing.length === 0) return
      if (world.now() + LOOK_MS > until) break
      await world.sleep(LOOK_MS, signal)
    }
    warn(
      `the TXT record ${name} is not shown by ${missing.join(', ')} after ${propagation.timeoutMs} ms: the issuer is called all the same`,
    )
  }

  return {
    async present(name, value, signal) {
      await change('present', name, value, signal)
      if (propagation.delayMs > 0) await world.sleep(propagation.delayMs, signal)
      await awaitShown(name, value, signal)
    },
    cleanup: (name, value) => change('cleanup', name, value),
  }
}
