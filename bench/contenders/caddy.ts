/** Caddy: one core; a route with its own host matcher and proxy each, as a Caddyfile with many sites becomes. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Contender } from '../contender.ts'
import { programVersion } from '../contender.ts'
import { hostOf } from '../request.ts'
import type { Site } from '../site.ts'

export const caddy: Contender = {
  name: 'caddy',
  title: 'Caddy',
  version: () => programVersion('caddy', 'version'),
  tls: true,
  http2: 'also',
  http2Origins: true,
  maxRoutes: 10_000,
  prepare(site) {
    const file = join(site.folder, 'caddy.json')
    writeFileSync(file, JSON.stringify(configuration(site)))
    return {
      argv: ['caddy', 'run', '--config', file],
      env: {
        GOMAXPROCS: '1',
        HOME: site.folder,
        XDG_DATA_HOME: site.folder,
        XDG_CONFIG_HOME: site.folder,
      },
    }
  },
}

function configuration(site: Site): object {
  const proxy = {
    handler: 'reverse_proxy',
    upstreams: site.origins.map((port) => ({ dial: `127.0.0.1:${port}` })),
    load_balancing: { selection_policy: { policy: 'round_robin' } },
    transport: {
      protocol: 'http',
      keep_alive: { max_idle_conns_per_host: 64 },
      ...(site.http2Origins ? { versions: ['h2c', '2'] } : {}),
    },
  }
  const routes =
    site.routes === 1
      ? [{ handle: [proxy] }]
      : Array.from({ length: site.routes }, (_, route) => ({
          match: [{ host: [hostOf(route)] }],
          handle: [proxy],
          terminal: true,
        }))
  const server = (port: number): object => ({
    listen: [`127.0.0.1:${port}`],
    routes,
    automatic_https: { disable: true },
    ...(site.http2 ? { protocols: ['h1', 'h2', 'h2c'] } : {}),
  })
  const servers = { plain: server(site.port) }
  const base = { admin: { disabled: true }, logging: { logs: { default: { level: 'ERROR' } } } }
  if (site.certificate === null || site.routes > 1) return { ...base, apps: { http: { servers } } }
  const { cert, key } = site.certificate
  const secure = {
    ...server(site.tlsPort),
    tls_connection_policies: [{ default_sni: 'localhost' }],
  }
  return {
    ...base,
    apps: {
      http: { servers: { ...servers, secure } },
      tls: { certificates: { load_files: [{ certificate: cert, key }] } },
    },
  }
}
