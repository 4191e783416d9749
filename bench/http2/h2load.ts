/** HTTP/2 load by h2load (nghttp2), and what it reports. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { percentile } from '../figures.ts'
import type { LoadResult } from '../load.ts'
import { run } from '../processes.ts'
import { BROWSER_FIELDS, type ResponseSize } from '../request.ts'
import type { Site } from '../site.ts'

export interface Http2Load {
  readonly name: Http2Name
  readonly title: string
  readonly response: ResponseSize
  readonly connections: number
  /** Requests under way on each of them. */
  readonly streams: number
  /** 997 paths, and a response whose fields change with each of them. */
  readonly isVaried?: true
  /** The origins speak HTTP/2, too. */
  readonly toOrigins?: true
}

export type Http2Name = 'h2' | 'h2-single' | 'h2-varied' | 'h2-large' | 'h2-upstream'

/** A prime, so that the paths of connections do not fall into step. */
const PATHS = 997

export async function h2load(site: Site, load: Http2Load, seconds: number): Promise<LoadResult> {
  // Not beside the contender's files: a program that watches these would be woken by each line of the log.
  const folder = join(site.folder, 'load')
  mkdirSync(folder, { recursive: true })
  const uris = join(folder, `${load.name}.uris`)
  const log = join(folder, `${load.name}.log`)
  const base = `https://localhost:${site.tlsPort}`
  const paths = load.isVaried
    ? Array.from({ length: PATHS }, (_, at) => `${base}/varied/${(at * 7919).toString(36)}/${at}`)
    : [`${base}/${load.response}`]
  writeFileSync(uris, paths.join('\n') + '\n')
  rmSync(log, { force: true })
  const fields = Object.entries(BROWSER_FIELDS).filter(([name]) => name !== 'Connection')
  const printed = await run([
    'h2load',
    ...['-t', '1', '-c', String(load.connections), '-m', String(load.streams)],
    ...['-D', String(seconds), '--connect-to', `127.0.0.1:${site.tlsPort}`, '--log-file', log],
    ...fields.flatMap(([name, value]) => ['-H', `${name.toLowerCase()}: ${value}`]),
    ...['-i', uris],
  ])
  return parseH2load(printed, readFileSync(log, 'utf8'), seconds)
}

/** `log` has a line a request: when it began, its status, and its microseconds, with tabs between them. */
export function parseH2load(printed: string, log: string, seconds: number): LoadResult {
  const counts = /^requests: .*?(\d+) succeeded, (\d+) failed, (\d+) errored/m.exec(printed)
  if (counts === null) throw new Error(`h2load printed no counts: ${printed.slice(0, 700)}`)
  const statuses = /^status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/m.exec(printed)
  const [succeeded = 0, failed = 0] = counts.slice(1, 3).map(Number)
  const [served = 0, ...others] = statuses?.slice(1).map(Number) ?? []
  if (served === 0) throw new Error(`h2load got no response of 2xx: ${printed.slice(0, 700)}`)
  const times = log
    .split('\n')
    .map((line) => Number(line.split('\t')[2]))
    .filter((micros) => micros > 0)
  return {
    requests: succeeded,
    seconds,
    p50Ms: percentile(times, 0.5) / 1000,
    p99Ms: percentile(times, 0.99) / 1000,
    errors: others.reduce((sum, count) => sum + count, failed),
  }
}
