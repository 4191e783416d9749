/** Metrics in the text format of Prometheus, as prom-client prints it. It takes 45 ms to load, so it is loaded when it is first needed. */
import type { Metric, Registry } from 'prom-client'
import { onDemand, type OnDemand } from '../../model/on-demand.ts'
import type { Sample } from './samples.ts'

type PromClient = typeof import('prom-client')

export const promClient: OnDemand<PromClient> = onDemand(
  'the Prometheus client',
  () => import('prom-client'),
)

/** Of the Prometheus text format, as prom-client writes it. */
export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export interface PrintedFamily {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary'
  readonly help: string
}

/** prom-client prints everything that has a name, a help, a type and a `get`; its types know its own classes only. */
export function registerFamily(
  to: Registry,
  { name, help, type }: PrintedFamily,
  read: () => Promise<readonly Sample[]>,
): void {
  const get = async (): Promise<object> => ({ name, help, type, values: await read() })
  to.registerMetric({ name, help, type, get } as unknown as Metric)
}
