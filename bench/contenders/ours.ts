/** Sluice as it is started in production: metrics, timeouts, forwarding fields and routing on; the access log where it is requested. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Contender } from '../contender.ts'
import type { Command } from '../processes.ts'
import { hostOf } from '../request.ts'
import type { Site } from '../site.ts'

const TREE = fileURLToPath(new URL('../../', import.meta.url))

export const ours: Contender = sluiceOf('ours', 'Sluice', TREE)

/** Another checkout of Sluice, with its packages installed: BENCH_BEFORE names its folder. For a change's cost per request. */
export const before: Contender = {
  ...sluiceOf('before', 'Sluice before', process.env['BENCH_BEFORE']),
  optional: true,
}

function sluiceOf(name: string, title: string, tree: string | undefined): Contender {
  return {
    name,
    title,
    version: () => (tree !== undefined && existsSync(mainOf(tree)) ? versionOf(tree) : null),
    tls: true,
    http2: 'also',
    http2Origins: true,
    logs: true,
    maxRoutes: Infinity,
    prepare(site) {
      const file = join(site.folder, 'sluice.json')
      writeFileSync(file, JSON.stringify(configuration(site, { workers: 1 })))
      return serve(file, tree)
    },
  }
}

export function serve(file: string, tree: string = TREE): Command {
  return { argv: [process.execPath, mainOf(tree), 'serve', '--config', file] }
}

function mainOf(tree: string): string {
  return join(tree, 'src', 'main.ts')
}

/** The parts of the file that the scenarios of changes rewrite. */
export interface SluiceFile {
  readonly frontends: Record<string, object>
  readonly [part: string]: unknown
}

interface Options {
  readonly workers: number
  readonly balance?: 'round-robin' | 'least-connections'
}

export function configuration(
  site: Site,
  { workers, balance = 'round-robin' }: Options,
): SluiceFile {
  const [first, second] = site.origins
  const scheme = site.http2Origins ? 'h2c' : 'http'
  const frontends: Record<string, object> = {}
  for (let route = 0; route < site.routes; route++) frontends[`r${route}`] = frontend(hostOf(route))
  const web = { address: `127.0.0.1:${site.port}` }
  const secure = {
    address: `127.0.0.1:${site.tlsPort}`,
    protocol: 'https',
    tls: { certificates: [site.certificate] },
  }
  return {
    workers,
    admin: { address: `127.0.0.1:${site.adminPort}` },
    log: { level: 'warn', access: site.accessLog ? 'combined' : 'off' },
    listeners: site.certificate === null ? { web } : { web, secure },
    backends: {
      origins: {
        balance,
        servers: { one: `${scheme}://127.0.0.1:${first}`, two: `${scheme}://127.0.0.1:${second}` },
      },
    },
    frontends,
  }
}

export function frontend(host: string): object {
  return { route: `Host("${host}")`, backend: 'origins', passHost: true }
}

function versionOf(tree: string): string {
  const manifest = readFileSync(join(tree, 'package.json'), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
