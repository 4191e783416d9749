/** A Docker engine with bridge and overlay networks, and with Swarm. It changes the network, so it has to run in namespaces. */
import { execFile } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Owner } from './daemon.ts'
import { cachedPackages } from './debian-packages.ts'
import {
  type DockerEngine,
  type DockerEngineOptions,
  librariesOf,
  startDockerEngine,
  whyNoEngine,
} from './docker-engine.ts'
import { namespaced } from './namespaces.ts'

const run = promisify(execFile)

const PACKAGES = [
  ...['docker.io', 'containerd', 'runc', 'tini', 'libdevmapper1.02.1', 'libseccomp2', 'iptables'],
  ...['libip4tc2', 'libip6tc2', 'libxtables12', 'libnftnl11', 'libmnl0'],
  ...['libnetfilter-conntrack3', 'libnfnetlink0'],
]
const BRIDGE = '10.213.0.1/24'

export interface NetworkPrograms {
  readonly root: string
  /** A program for the first process of namespaces. */
  readonly init: string
}

/** From the network, or from node_modules/.cache. */
export async function fetchNetworks(): Promise<NetworkPrograms> {
  const root = await cachedPackages(PACKAGES)
  for (const name of ['iptables', 'ip6tables']) {
    const link = join(root, 'usr/sbin', name)
    if (!existsSync(link)) await symlink('xtables-nft-multi', link)
  }
  return { root, init: join(root, 'usr/bin/tini') }
}

/** Why no such engine can run here; null: one can. */
export async function whyNoNetworks(): Promise<string | null> {
  const reason = await whyNoEngine()
  if (reason !== null) return reason
  const { init, root } = await fetchNetworks()
  const iptables = join(root, 'usr/sbin/iptables')
  const [command = '', ...args] = namespaced(init, [iptables, '-t', 'nat', '-L'])
  const env = { ...process.env, ...envOf(root), LD_LIBRARY_PATH: await librariesOf(root) }
  return run(command, args, { env }).then(
    () => null,
    (error: unknown) => `an engine with networks needs namespaces and nf_tables: ${String(error)}`,
  )
}

/** In the namespaces of this process. */
export async function startNetworkedEngine(
  owner: Owner,
  options: Pick<DockerEngineOptions, 'args' | 'liveRestore'> = {},
): Promise<DockerEngine> {
  const { root } = await fetchNetworks()
  return startDockerEngine(owner, { ...OPTIONS, root, env: envOf(root), ...options })
}

/** In namespaces of its own: its socket can be reached from here, its networks cannot. */
export async function startBridges(owner: Owner): Promise<DockerEngine> {
  const { root, init } = await fetchNetworks()
  const within = namespaced(init, [])
  return startDockerEngine(owner, { ...OPTIONS, root, env: envOf(root), within })
}

/** As above, with a Swarm that it manages. */
export async function startSwarm(owner: Owner): Promise<DockerEngine> {
  const engine = await startBridges(owner)
  await engine.docker('swarm', 'init', '--advertise-addr', '127.0.0.1')
  return engine
}

const OPTIONS = {
  network: ['--bip', BRIDGE],
  storageDriver: 'overlay2',
  // Swarm refuses it.
  liveRestore: false,
} as const

function envOf(root: string): NodeJS.ProcessEnv {
  const [extensions = ''] = globSync(join(root, 'usr/lib/*/xtables'))
  return { XTABLES_LIBDIR: extensions }
}
