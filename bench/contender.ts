/** A proxy that is measured: how its configuration is written and how it is started. One file each in contenders/. */
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { request } from 'node:http'
import { dirname, join } from 'node:path'
import { PROXY_CORE, find, start, untilReady } from './processes.ts'
import type { Command, Core, Started } from './processes.ts'
import { hostOf } from './request.ts'
import type { Site } from './site.ts'

export interface Contender {
  readonly name: string
  readonly title: string
  /** What is installed, or null: then it is left out. */
  readonly version: () => string | null
  readonly tls: boolean
  /** It can write an access log. */
  readonly logs?: true
  /** `only`: it takes no part where clients speak HTTP/1. */
  readonly http2?: 'also' | 'only'
  /** It speaks HTTP/2 to its servers, too. */
  readonly http2Origins?: true
  /** The most host routes that it can have. */
  readonly maxRoutes: number
  /** A prototype that can only GET: measured, but not proved in full. */
  readonly partial?: true
  /** Takes part only where its environment variable names it, and is not missed otherwise. */
  readonly optional?: true
  /** Writes its configuration into the folder of the site and says how to start it. */
  readonly prepare: (site: Site) => Command
}

export interface Running extends Started {
  readonly contender: Contender
  readonly site: Site
}

/** Resolves when the first and the last route respond. */
export async function startContender(
  contender: Contender,
  site: Site,
  probe: { readonly path: string; readonly core?: Core; readonly limitMs?: number },
): Promise<Running> {
  const log = logFileOf(site)
  mkdirSync(dirname(log), { recursive: true })
  const started = start(contender.prepare(site), probe.core ?? PROXY_CORE, log)
  const limitMs = probe.limitMs ?? 60_000
  for (const host of [hostOf(site.routes - 1), hostOf(0)]) {
    const test = async (): Promise<boolean> => (await statusOf(site.port, host, probe.path)) === 200
    await untilReady(started, contender.title, { test, lack: 'no response', limitMs })
  }
  return { ...started, contender, site }
}

/** What the proxy writes. Not beside its configuration: each write in a watched folder would wake the proxy. */
export function logFileOf({ folder }: Pick<Site, 'folder'>): string {
  return join(folder, 'output', 'output.log')
}

/** The status of one request on a connection of its own, or null when there was no response. */
export function statusOf(port: number, host: string, path: string): Promise<number | null> {
  return new Promise((resolve) => {
    const call = request({ port, path, host: '127.0.0.1', headers: { host }, agent: false })
    call.setTimeout(60_000, () => call.destroy())
    call.on('error', () => resolve(null))
    call.on('response', (response) => {
      response.resume()
      response.on('close', () => resolve(response.statusCode ?? null))
    })
    call.end()
  })
}

/** What an installed program says of its version, cut to the number. */
export function programVersion(program: string, flag: string): string | null {
  const path = find(program)
  if (path === null) return null
  // nginx says it on standard error.
  const said = execFileSync('sh', ['-c', `"$0" ${flag} 2>&1`, path]).toString()
  return /\d+\.\d+(\.\d+)?/.exec(said)?.[0] ?? 'unknown'
}
