/** HAProxy: one thread; many hosts through a map file, which is how its manual does it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Contender } from '../contender.ts'
import { programVersion } from '../contender.ts'
import { openFileLimit } from '../proc.ts'
import { find } from '../processes.ts'
import { hostOf } from '../request.ts'
import type { Site } from '../site.ts'

export const haproxy: Contender = {
  name: 'haproxy',
  title: 'HAProxy',
  version: () => programVersion('haproxy', '-v'),
  tls: true,
  http2: 'also',
  http2Origins: true,
  logs: true,
  maxRoutes: Infinity,
  prepare(site) {
    const file = join(site.folder, 'haproxy.cfg')
    writeFileSync(file, configuration(site))
    return { argv: [find('haproxy') ?? 'haproxy', '-db', '-f', file] }
  },
}

function configuration(site: Site): string {
  const [first, second] = site.origins
  const protocol = site.http2Origins ? 'proto h2' : ''
  // A connection takes two descriptors, and HAProxy refuses to start with fewer than it could need.
  const maxConnections = Math.min(8000, Math.floor((openFileLimit() - 200) / 2))
  return `
global
  nbthread 1
  maxconn ${maxConnections}
defaults
  mode http
  option forwardfor
  ${site.accessLog ? 'log stdout format raw local0\n  option httplog' : ''}
  http-reuse always
  timeout connect 5s
  timeout client 75s
  timeout server 60s
  timeout http-request 10s
  timeout http-keep-alive 75s
frontend web
  bind 127.0.0.1:${site.port}
  ${tlsBind(site)}
  ${choice(site)}
backend origins
  balance roundrobin
  server one 127.0.0.1:${first} ${protocol}
  server two 127.0.0.1:${second} ${protocol}
`
}

function tlsBind(site: Site): string {
  if (site.certificate === null) return ''
  const bundle = join(site.folder, 'bundle.pem')
  const { cert, key } = site.certificate
  writeFileSync(bundle, readFileSync(cert, 'utf8') + readFileSync(key, 'utf8'))
  return `bind 127.0.0.1:${site.tlsPort} ssl crt ${bundle} ${site.http2 ? 'alpn h2,http/1.1' : ''}`
}

function choice(site: Site): string {
  if (site.routes === 1) return 'default_backend origins'
  const map = join(site.folder, 'hosts.map')
  const lines = Array.from({ length: site.routes }, (_, route) => `${hostOf(route)} origins\n`)
  writeFileSync(map, lines.join(''))
  return `use_backend %[req.hdr(host),field(1,:),lower,map_str(${map})]`
}
