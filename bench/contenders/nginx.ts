/** nginx: one worker; many hosts as names of a server, which it keeps in a hash. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Contender } from '../contender.ts'
import { programVersion } from '../contender.ts'
import { find } from '../processes.ts'
import { hostOf } from '../request.ts'
import type { Site } from '../site.ts'

export const nginx: Contender = {
  name: 'nginx',
  title: 'nginx',
  version: () => programVersion('nginx', '-v'),
  tls: true,
  http2: 'also',
  maxRoutes: Infinity,
  prepare(site) {
    return nginxCommand(site.folder, 1, httpBlock(site))
  },
}

/** nginx with all of its files in one folder; the origins use it too. */
export function nginxCommand(
  folder: string,
  workers: number,
  http: string,
): { readonly argv: readonly string[] } {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, 'nginx.conf')
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  writeFileSync(
    file,
    `
daemon off;
${process.getuid?.() === 0 ? 'user root root;' : ''}
worker_processes ${workers};
worker_rlimit_nofile 20000;
pid ${join(folder, 'nginx.pid')};
error_log ${join(folder, 'error.log')};
events { worker_connections 16384; }
http {
  access_log off;
  ${paths.map((name) => `${name}_temp_path ${join(folder, name)};`).join('\n  ')}
  keepalive_timeout 75s;
  keepalive_requests 1000000000;
  ${http}
}
`,
  )
  return { argv: [find('nginx') ?? 'nginx', '-e', join(folder, 'error.log'), '-c', file] }
}

function httpBlock(site: Site): string {
  const [first, second] = site.origins
  return `
  upstream origins {
    server 127.0.0.1:${first};
    server 127.0.0.1:${second};
    keepalive 64;
    keepalive_requests 1000000000;
  }
  server_names_hash_max_size 1048576;
  server_names_hash_bucket_size 128;
  server {
    listen 127.0.0.1:${site.port} default_server backlog=4096;
    ${tlsListen(site)}
    ${names(site)}
    location / {
      proxy_pass http://origins;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_connect_timeout 5s;
      # A response of 100 KiB must not go through a file on disk.
      proxy_buffer_size 16k;
      proxy_buffers 16 16k;
      proxy_busy_buffers_size 64k;
    }
  }`
}

function tlsListen(site: Site): string {
  if (site.certificate === null) return ''
  return `listen 127.0.0.1:${site.tlsPort} ssl ${site.http2 ? 'http2' : ''};
    ssl_certificate ${site.certificate.cert};
    ssl_certificate_key ${site.certificate.key};
    ssl_protocols TLSv1.2 TLSv1.3;`
}

function names(site: Site): string {
  const lines = Array.from({ length: site.routes }, (_, route) => `server_name ${hostOf(route)};`)
  return lines.join('\n    ')
}
