/** A configuration takes effect: that of containers first, because only they can fail, so that it does as a whole or not at all. */
import type { Agent } from './agent.ts'
import type { FollowedContainers } from './followed-containers.ts'
import type { Heartbeat } from './heartbeat.ts'
import type { AgentConfig } from './spec/agent-spec.ts'

export interface AgentParts {
  readonly agent: Pick<Agent, 'apply'>
  readonly containers: Pick<FollowedContainers, 'follow'>
  readonly heartbeat: Pick<Heartbeat, 'follow'>
}

/** Rejects with the reason if containers cannot be followed; then nothing has changed. */
export async function applyConfig(
  config: AgentConfig,
  { agent, containers, heartbeat }: AgentParts,
): Promise<void> {
  await containers.follow(config.containers)
  agent.apply(config)
  heartbeat.follow(config.heartbeat)
}
