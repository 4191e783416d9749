/** A Docker engine with networks, compose and Swarm, with the images of `run.ts`. It changes the network, so: in namespaces. */
import { execFileSync } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Owner } from '../support/daemon.ts'
import { cachedPackages } from '../support/debian-packages.ts'
import { type DockerEngine, startDockerEngine } from '../support/docker-engine.ts'

const PACKAGES = [
  ...['docker.io', 'containerd', 'runc', 'tini', 'libdevmapper1.02.1', 'libseccomp2', 'iptables'],
  ...['libip4tc2', 'libip6tc2', 'libxtables12', 'libnftnl11', 'libmnl0'],
  ...['libnetfilter-conntrack3', 'libnfnetlink0'],
]
const BRIDGE = '10.213.0.1/24'

interface Fetched {
  readonly root: string
  /** A program for the first process of namespaces. */
  readonly tini: string
  /** The plugin of Docker's client. */
  readonly compose: string
}

/** From the network, or from node_modules/.cache. In namespaces there is no network. */
export async function fetchNetworkedEngine(): Promise<Fetched> {
  const script = fileURLToPath(new URL('../../scripts/get-compose.mjs', import.meta.url))
  const compose = execFileSync(process.execPath, [script], { encoding: 'utf8' }).trim()
  const root = await cachedPackages(PACKAGES)
  for (const name of ['iptables', 'ip6tables']) {
    const link = join(root, 'usr/sbin', name)
    if (!existsSync(link)) await symlink('xtables-nft-multi', link)
  }
  return { root, tini: join(root, 'usr/bin/tini'), compose }
}

/** At /var/run/docker.sock, too, as users have it. */
export async function startNetworkedEngine(owner: Owner): Promise<DockerEngine> {
  const { root, compose } = await fetchNetworkedEngine()
  const [libraries = ''] = globSync(join(root, 'usr/lib/*/xtables'))
  process.env['XTABLES_LIBDIR'] = libraries
  const engine = await startDockerEngine(owner, {
    root,
    network: ['--bip', BRIDGE],
    storageDriver: 'overlay2',
    // Swarm refuses it.
    liveRestore: false,
    args: ['--host', 'unix:///var/run/docker.sock'],
  })
  const plugins = join(engine.env['DOCKER_CONFIG'] ?? '', 'cli-plugins')
  await mkdir(plugins, { recursive: true })
  await symlink(compose, join(plugins, 'docker-compose'))
  const images = process.env['SLUICE_TEST_IMAGES']
  if (images !== undefined) await engine.docker('load', '-i', images)
  return engine
}
