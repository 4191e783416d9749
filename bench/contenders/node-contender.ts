/** The contenders that are Node programs of this bench: started with a plan as their argument. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { fileURLToPath } from 'node:url'
import type { Command } from '../processes.ts'
import type { Site } from '../site.ts'

export function nodeCommand(program: string, site: Site): Command {
  const path = fileURLToPath(new URL(program, import.meta.url))
  return { argv: [process.execPath, path, JSON.stringify(site)], env: { NODE_ENV: 'production' } }
}

/** In the process itself. */
export function readSite(): Site {
  return JSON.parse(process.argv[2] ?? '') as Site
}

export function listen(site: Site, listener: RequestListener): void {
  const options = { keepAliveTimeout: 75_000 }
  createServer(options, listener).listen(site.port, '127.0.0.1', 4096)
  if (site.certificate === null) return
  const cert = readFileSync(site.certificate.cert)
  const key = readFileSync(site.certificate.key)
  const secure = createSecureServer({ ...options, cert, key }, listener)
  secure.listen(site.tlsPort, '127.0.0.1', 4096)
}
