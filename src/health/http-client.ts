/** undici, for HTTP probes and web-hooks. It takes 26 MB and is loaded with the first of them. */
import type * as undici from 'undici'
import { onDemand, type OnDemand } from '../model/on-demand.ts'

export const httpClient: OnDemand<Pick<typeof undici, 'Agent' | 'Client' | 'request'>> = onDemand(
  'undici, the client of health checks and web-hooks',
  () => import('undici'),
)
