/** http-proxy-3, the proxy that most Node programs embed. */
import { createRequire } from 'node:module'
import type { Contender } from '../contender.ts'
import { nodeCommand } from './node-contender.ts'

export const httpProxy3: Contender = {
  name: 'http-proxy-3',
  title: 'http-proxy-3',
  version: () => packageVersion('http-proxy-3'),
  tls: true,
  maxRoutes: 1,
  prepare: (site) => nodeCommand('./http-proxy-3.process.ts', site),
}

export function packageVersion(name: string): string | null {
  try {
    const manifest: unknown = createRequire(import.meta.url)(`${name}/package.json`)
    return (manifest as { version: string }).version
  } catch {
    return null
  }
}
