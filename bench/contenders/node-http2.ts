/** The HTTP/2 of Node, by its core API on both sides; undici towards origins of HTTP/1. */
import type { Contender } from '../contender.ts'
import { packageVersion } from './http-proxy-3.ts'
import { nodeCommand } from './node-contender.ts'

export const nodeHttp2: Contender = {
  name: 'node-http2',
  title: 'node:http2',
  version: () => packageVersion('undici'),
  tls: true,
  http2: 'only',
  http2Origins: true,
  maxRoutes: 1,
  partial: true,
  prepare: (site) => nodeCommand('./node-http2.process.ts', site),
}
