/** undici, for probes over HTTP and web-hooks: 26 MB that a main thread without either does without. */
import type * as undici from 'undici'
import { onDemand, type OnDemand } from '../model/on-demand.ts'

export const httpClient: OnDemand<Pick<typeof undici, 'Agent' | 'Client' | 'request'>> = onDemand(
  'undici, the client of health checks and web-hooks',
  () => import('undici'),
)
