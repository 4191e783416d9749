/** Everybody who takes part, in the order of the tables. */
import type { Contender } from '../contender.ts'
import { caddy } from './caddy.ts'
import { haproxy } from './haproxy.ts'
import { httpProxy3 } from './http-proxy-3.ts'
import { nginx } from './nginx.ts'
import { nodeHttp2 } from './node-http2.ts'
import { nodeUndici } from './node-undici.ts'
import { before, ours } from './ours.ts'
import { prototype } from './prototype.ts'

export const CONTENDERS: readonly Contender[] = [
  ours,
  before,
  haproxy,
  nginx,
  caddy,
  nodeUndici,
  nodeHttp2,
  httpProxy3,
  prototype,
]
