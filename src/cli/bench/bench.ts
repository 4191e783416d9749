/**
 * `sluice bench URL`: measures a URL through a running Sluice and past it. Without one, a Sluice is started in front of
 * the server that the URL names, and ends with the command.
 */
import { writeFileSync } from 'node:fs'
import { lookup } from 'node:dns/promises'
import { bracketHost, formatAddress } from '../../model/address.ts'
import { messageOf } from '../../model/error-message.ts'
import { fileErrorReason } from '../../model/file-error.ts'
import { compileNetworks } from '../../model/ip.ts'
import { escapeControls, quote } from '../../model/parsed.ts'
import { readBounded } from '../../model/read-bounded.ts'
import type { Address } from '../../model/snapshot.ts'
import { openAdmin } from './admin-reader.ts'
import { findTarget, type BenchTarget } from './find-target.ts'
import { requestOnce, type FirstResponse } from './first-request.ts'
import { startLoadGenerator } from './load.ts'
import type { LoadTarget } from './load-plan.ts'
import { measureBoth } from './measure.ts'
import { drawPicture } from './picture.ts'
import { toText, warningsOf, type BenchReport } from './report.ts'
import type { AdminPlace } from '../admin-client.ts'
import type { BenchOptions } from './words.ts'

/** A Sluice in front of one server. */
export interface OwnSluice {
  /** `http://127.0.0.1:PORT` */
  readonly origin: string
  readonly end: () => Promise<void>
}

export interface BenchWorld {
  readonly admin: AdminPlace
  /** The address was configured: then a Sluice has to be there. */
  readonly isAdminGiven: boolean
  /** How long the first response may take. */
  readonly patienceMs: number
  /** `server`: an origin. */
  readonly startOwn: (server: string) => Promise<OwnSluice>
  readonly print: (line: string) => void
  /** Of progress and problems; not part of the result. */
  readonly complain: (line: string) => void
}

/** Returns the exit code. */
export async function runBench(options: BenchOptions, world: BenchWorld): Promise<0 | 1> {
  let opened: Opened | null = null
  try {
    const body = options.body === null ? null : readBody(options.body)
    opened = await openTarget(options, world)
    const report = await measure(opened.target, options, body, world)
    // First: if the picture cannot be written, what was measured is not lost.
    world.print(options.isJson ? JSON.stringify(report) : toText(report))
    if (options.picture !== null) {
      writePicture(options.picture, report)
      world.complain(`written: ${options.picture}`)
    }
    return 0
  } catch (error) {
    const reason = messageOf(error)
    world.complain(escapeControls(`sluice bench: ${reason}`))
    return 1
  } finally {
    await opened?.end()
  }
}

function writePicture(file: string, report: BenchReport): void {
  try {
    writeFileSync(file, drawPicture(report))
  } catch (error) {
    throw new Error(`cannot write the picture to ${file}: ${fileErrorReason(error)}`, {
      cause: error,
    })
  }
}

async function measure(
  target: BenchTarget,
  options: BenchOptions,
  body: Uint8Array | null,
  { complain, patienceMs }: BenchWorld,
): Promise<BenchReport> {
  const look = (one: LoadTarget): Promise<FirstResponse> =>
    requestOnce(one, options, body, patienceMs)
  const through = await look(target.through)
  const direct = await Promise.all(target.direct.map(look))
  const generator = startLoadGenerator()
  const { connections, rounds, durationMs } = options
  complain(`measures for ${Math.round(durationMs / 1000)} s ...`)
  try {
    const measured = await measureBoth(generator, target, options, body)
    const report = {
      ...{ url: options.url.href, target, connections, rounds, durationMs, ...measured },
      ...{ date: new Date().toISOString(), first: { through, direct } },
    }
    return { ...report, warnings: warningsOf(report) }
  } finally {
    await generator.end()
  }
}

interface Opened {
  readonly target: BenchTarget
  readonly end: () => Promise<void>
}

async function openTarget(options: BenchOptions, world: BenchWorld): Promise<Opened> {
  const { url, direct, via } = options
  if (direct !== null) {
    const through = targetOf(url, options, via)
    const past = targetOf(direct, options, null)
    await refusePublic([through, past], options)
    return { target: { through, direct: [past], notes: [] }, end: async () => {} }
  }
  const admin = await openAdmin(world.admin)
  const at = formatAddress(world.admin.address)
  if (admin === null) {
    if (world.isAdminGiven || via !== null) {
      const help = 'start Sluice, or name the server with --direct'
      throw new Error(`no Sluice responds at the admin address ${at}: ${help}`)
    }
    return openOwn(`no Sluice runs here (admin ${at})`, options, world)
  }
  try {
    const found = await findTarget(admin, options)
    if (found.kind === 'found') return { target: found.target, end: async () => {} }
    const listeners = found.listeners.join(', ') || 'none'
    if (via !== null) {
      const what = `the running Sluice has no listener at ${formatAddress(via)}`
      throw new Error(`${what}; its listeners: ${listeners}`)
    }
    return await openOwn(
      `no listener of the running Sluice is there (${listeners})`,
      options,
      world,
    )
  } finally {
    await admin.end()
  }
}

/** A Sluice of its own in front of the server that the URL names. */
async function openOwn(why: string, options: BenchOptions, world: BenchWorld): Promise<Opened> {
  const direct = targetOf(options.url, options, null)
  await refusePublic([direct], options)
  // Before a Sluice is started for nothing.
  const { headers } = options
  await requestOnce(direct, { method: 'GET', headers }, null, world.patienceMs)
  const own = await world.startOwn(new URL(direct.url).origin)
  const { pathname, search } = options.url
  const through = { url: `${own.origin}${pathname}${search}`, host: direct.host }
  const plain = 'clients speak HTTP to it, and it HTTPS to the server'
  const notes = [
    `${why}: a Sluice was started in front of ${options.url.origin}`,
    ...(options.url.protocol === 'https:' ? [plain] : []),
  ]
  return { target: { through, direct: [direct], notes }, end: own.end }
}

function targetOf(url: URL, options: BenchOptions, via: Address | null): LoadTarget {
  const host = options.host ?? url.host
  const to = new URL(url)
  // Names below localhost are loopback (RFC 6761 section 6.3), and not every resolver has them.
  if (url.hostname.endsWith('.localhost')) to.hostname = '127.0.0.1'
  if (via !== null) to.host = `${bracketHost(via.host || '127.0.0.1')}:${via.port}`
  return { url: to.href, host }
}

const isOwnNetwork = compileNetworks([
  ...['127.0.0.0/8', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10'],
  ...['169.254.0.0/16', '::1/128', 'fc00::/7', 'fe80::/10'],
])

/** A typo must not load another user's server. What a running Sluice declares is the user's own. */
async function refusePublic(targets: readonly LoadTarget[], options: BenchOptions): Promise<void> {
  if (options.mayLoadPublic) return
  for (const target of targets) {
    const host = new URL(target.url).hostname.replace(/^\[|\]$/g, '')
    const { address } = await lookup(host).catch((cause: unknown) => {
      throw new Error(`the name ${quote(host)} cannot be resolved`, { cause })
    })
    if (isOwnNetwork(address)) continue
    const what = `${quote(host)} (${address}) is not an address of a private network`
    throw new Error(`${what}; --public loads it all the same`)
  }
}

const LARGEST_BODY = 1024 * 1024

function readBody(text: string): Uint8Array {
  if (!text.startsWith('@')) return Buffer.from(text)
  const file = text.slice(1)
  try {
    return readBounded(file, { maxBytes: LARGEST_BODY, isAnyKind: true })
  } catch (cause) {
    throw new Error(`cannot read the body from ${file}: ${fileErrorReason(cause)}`, { cause })
  }
}
