/** A proxy of TCP connections that is measured: how its configuration is written and how it is started. */
import { mkdirSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { PROXY_CORE, start, untilReady } from '../processes.ts'
import type { Command, Core, Started } from '../processes.ts'
import { freePorts } from '../site.ts'

export interface TcpSite {
  /** A folder of its own for the contender's files. */
  readonly folder: string
  readonly port: number
  readonly adminPort: number
  /** Ports of the servers, all on 127.0.0.1. */
  readonly servers: readonly number[]
}

export interface TcpContender {
  readonly name: string
  readonly title: string
  /** What is installed, or null: then it is left out. */
  readonly version: () => string | null
  /** Takes part only where its environment variable names it, and is not missed otherwise. */
  readonly optional?: true
  /** Writes its configuration into the folder of the site and says how to start it. */
  readonly prepare: (site: TcpSite) => Command
}

export interface RunningTcp extends Started {
  readonly contender: TcpContender
  readonly site: TcpSite
}

const START_LIMIT_MS = 20_000

export async function createTcpSite(folder: string, servers: readonly number[]): Promise<TcpSite> {
  mkdirSync(folder, { recursive: true })
  const [port = 0, adminPort = 0] = await freePorts(2)
  return { folder, port, adminPort, servers }
}

/** Resolves when a connection through it reaches a server. */
export async function startTcpContender(
  contender: TcpContender,
  site: TcpSite,
  core: Core = PROXY_CORE,
): Promise<RunningTcp> {
  // Not beside its configuration: each write in a watched folder would wake the proxy.
  const output = join(site.folder, 'output')
  mkdirSync(output, { recursive: true })
  const started = start(contender.prepare(site), core, join(output, 'output.log'))
  const test = (): Promise<boolean> => echoes(site.port)
  await untilReady(started, contender.title, { test, lack: 'no echo', limitMs: START_LIMIT_MS })
  return { ...started, contender, site }
}

/** Whether a server at the other end sends back what it gets. */
export function echoes(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.setTimeout(5_000, () => socket.destroy())
    socket.on('error', () => {})
    socket.on('close', () => resolve(false))
    socket.on('data', (bytes) => {
      resolve(bytes.toString('latin1') === 'E')
      socket.destroy()
    })
    socket.write('E')
  })
}
