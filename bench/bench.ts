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
  /** The same over HTTP/2 in clear; null where no nginx serves it. */
  readonly http2OriginPorts: readonly [number, number] | null
  readonly certificate: CertificateFiles | null
  readonly generator: Generator
  /** Off where it is not set. */
  readonly accessLog?: boolean
  readonly http2?: boolean
  readonly http2Origins?: boolean
  /** One line of progress. */
  readonly say: (line: string) => void
}

let sites = 0

export function openSite(bench: Bench, name: string, routes: number): Promise<Site> {
  const folder = join(bench.folder, `${++sites}-${name}`)
  const { certificate, accessLog = false, http2 = false, http2Origins = false } = bench
  const origins = http2Origins ? bench.http2OriginPorts : bench.originPorts
  if (origins === null) throw new Error('there is no nginx to serve HTTP/2 in clear')
  return createSite(folder, { certificate, origins, routes, accessLog, http2, http2Origins })
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
