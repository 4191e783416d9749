/** The engine of the parts that run in namespaces: with compose and the images of `run.ts`, at /var/run/docker.sock as users have it. */
import { execFileSync } from 'node:child_process'
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Owner } from '../support/daemon.ts'
import type { DockerEngine } from '../support/docker-engine.ts'
import { startNetworkedEngine } from '../support/docker-networks.ts'

/** The path of the plugin of Docker's client, from the network or from node_modules/.cache. */
export function fetchCompose(): string {
  const script = fileURLToPath(new URL('../../scripts/get-compose.mjs', import.meta.url))
  return execFileSync(process.execPath, [script], { encoding: 'utf8' }).trim()
}

export interface UsersEngineOptions {
  /** Containers survive the death of the engine; Swarm refuses that. */
  readonly liveRestore?: boolean
  /** Further arguments of dockerd. */
  readonly args?: readonly string[]
}

export async function startUsersEngine(
  owner: Owner,
  { liveRestore = false, args = [] }: UsersEngineOptions = {},
): Promise<DockerEngine> {
  const hosts = ['--host', 'unix:///var/run/docker.sock']
  const engine = await startNetworkedEngine(owner, { args: [...hosts, ...args], liveRestore })
  const plugins = join(engine.env['DOCKER_CONFIG'] ?? '', 'cli-plugins')
  await mkdir(plugins, { recursive: true })
  await symlink(fetchCompose(), join(plugins, 'docker-compose'))
  const images = process.env['SLUICE_TEST_IMAGES']
  if (images !== undefined) await engine.docker('load', '-i', images)
  return engine
}
