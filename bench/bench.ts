/** What a scenario is given. */
import { join } from 'node:path'
import type { Contender } from './contender.ts'
import type { Generator } from './load.ts'
import type { Plan } from './plan.ts'
import { createSite } from './site.ts'
import type { CertificateFiles, Site } from './site.ts'
import type { TcpContender } from './tcp/contender.ts'

export interface Bench {
  /** Removed with all that is in it when the bench ends. */
  readonly folder: string
  readonly plan: Plan
  /** Those that are installed and proved to proxy. */
  readonly contenders: readonly Contender[]
  /** Those that are installed, as proxies of TCP. */
  readonly tcpContenders: readonly TcpContender[]
  readonly originPorts: readonly [number, number]
  readonly certificate: CertificateFiles | null
  readonly generator: Generator
  /** Off where it is not set. */
  readonly accessLog?: boolean
  /** One line of progress. */
  readonly say: (line: string) => void
}

let sites = 0

export function openSite(bench: Bench, name: string, routes: number): Promise<Site> {
  const folder = join(bench.folder, `${++sites}-${name}`)
  const { certificate, originPorts: origins, accessLog = false } = bench
  return createSite(folder, { certificate, origins, routes, accessLog })
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
