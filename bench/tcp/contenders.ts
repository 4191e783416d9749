/** Those that take part as proxies of TCP, in the order of the tables. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { programVersion } from '../contender.ts'
import { before, ours, serve } from '../contenders/ours.ts'
import { openFileLimit } from '../proc.ts'
import { find } from '../processes.ts'
import type { TcpContender, TcpSite } from './contender.ts'

const haproxy: TcpContender = {
  name: 'haproxy',
  title: 'HAProxy',
  version: () => programVersion('haproxy', '-v'),
  prepare(site) {
    const file = join(site.folder, 'haproxy.cfg')
    writeFileSync(file, haproxyConfiguration(site))
    return { argv: [find('haproxy') ?? 'haproxy', '-db', '-f', file] }
  },
}

/** What Node's own streams cost: `pipe` in both directions, and nothing else. */
const nodePipe: TcpContender = {
  name: 'node-pipe',
  title: 'Node with pipe()',
  version: () => process.version,
  prepare({ port, servers }) {
    const program = fileURLToPath(new URL('./node-pipe.process.ts', import.meta.url))
    return { argv: [process.execPath, program, String(port), ...servers.map(String)] }
  },
}

export const TCP_CONTENDERS: readonly TcpContender[] = [
  sluice(ours),
  { ...sluice(before, process.env['BENCH_BEFORE']), optional: true },
  haproxy,
  nodePipe,
]

function sluice(
  { name, title, version }: Pick<TcpContender, 'name' | 'title' | 'version'>,
  tree?: string,
): TcpContender {
  return {
    name,
    title,
    // A tree without TCP listeners has nothing to measure here.
    version: () => (tree === undefined || servesTcp(tree) ? version() : null),
    prepare(site) {
      const file = join(site.folder, 'sluice.json')
      writeFileSync(file, JSON.stringify(tcpConfiguration(site, 1)))
      return serve(file, tree)
    },
  }
}

function servesTcp(tree: string): boolean {
  const schema = join(tree, 'config', 'schema.json')
  return existsSync(schema) && readFileSync(schema, 'utf8').includes('"tcp"')
}

export function tcpConfiguration(site: TcpSite, workers: number): object {
  const servers = site.servers.map((port, i) => [`s${i + 1}`, `tcp://127.0.0.1:${port}`])
  return {
    workers,
    admin: { address: `127.0.0.1:${site.adminPort}` },
    log: { level: 'warn', access: 'off' },
    data: join(site.folder, 'data'),
    listeners: {
      streams: { address: `127.0.0.1:${site.port}`, protocol: 'tcp', backend: 'servers' },
    },
    backends: {
      servers: {
        timeouts: { tunnel: '1h' },
        servers: Object.fromEntries(servers) as Record<string, string>,
      },
    },
  }
}

function haproxyConfiguration(site: TcpSite): string {
  // A connection takes two descriptors, and HAProxy refuses to start with fewer than it could need.
  const maxConnections = Math.floor((openFileLimit() - 200) / 2)
  const servers = site.servers.map((port, i) => `  server s${i + 1} 127.0.0.1:${port}`)
  return `
global
  nbthread 1
  maxconn ${maxConnections}
defaults
  mode tcp
  maxconn ${maxConnections}
  timeout connect 5s
  timeout client 1h
  timeout server 1h
frontend streams
  bind 127.0.0.1:${site.port}
  default_backend servers
backend servers
  balance roundrobin
  option redispatch
${servers.join('\n')}
`
}
