/** The containers that are registered by the configuration in force; a new one takes over before the one before ends. */
import { isEqual } from '../model/equal.ts'
import { messageOf } from '../model/error-message.ts'
import type { Log } from '../observe/log.ts'
import { startContainerAgent, type ContainerAgent } from './containers/container-agent.ts'
import type { Registration } from './registrar/registrar.ts'
import type { ContainersPlan } from './spec/agent-spec.ts'
import type { OpenRegistrar } from './watch/shared-registrar.ts'

export interface FollowedContainers {
  /** Null: none are registered. Rejects if they cannot be followed; then those before stay. */
  follow(plan: ContainersPlan | null): Promise<void>
  registrations(): readonly Registration[]
  /** Resolves to whether the registry has confirmed within this time that all are removed. */
  stop(withinMs: number): Promise<boolean>
}

export function createFollowedContainers(
  openRegistrar: OpenRegistrar,
  log: Log,
): FollowedContainers {
  const ending = new Set<Promise<boolean>>()
  let current: { readonly plan: ContainersPlan; readonly agent: ContainerAgent } | null = null

  async function end(before: typeof current, withinMs?: number): Promise<boolean> {
    try {
      await before?.agent.stop(withinMs)
      return true
    } catch (error) {
      const reason = messageOf(error)
      log.error({ reason }, 'containers could not be removed: they expire by their time to live')
      return false
    }
  }

  return {
    async follow(plan) {
      if (isEqual(plan, current?.plan ?? null)) return
      const before = current
      current =
        plan === null
          ? null
          : {
              plan,
              agent: await startContainerAgent({
                spec: plan.spec,
                openRegistrar: (listener) => openRegistrar(plan.registry, listener),
                log,
              }),
            }
      // What comes next in a new configuration does not wait for it.
      const ended = end(before)
      ending.add(ended)
      void ended.finally(() => ending.delete(ended))
    },
    registrations: () => current?.agent.registrations() ?? [],
    async stop(withinMs) {
      const results = await Promise.all([end(current, withinMs), ...ending])
      return results.every(Boolean)
    },
  }
}
