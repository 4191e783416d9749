/** What one writes by hand: a `node:http` server in front, undici's dispatch towards the origins. */
import type { Contender } from '../contender.ts'
import { packageVersion } from './http-proxy-3.ts'
import { nodeCommand } from './node-contender.ts'

export const nodeUndici: Contender = {
  name: 'node-undici',
  title: 'node:http + undici',
  version: () => packageVersion('undici'),
  tls: true,
  maxRoutes: 1,
  prepare: (site) => nodeCommand('./node-undici.process.ts', site),
}
