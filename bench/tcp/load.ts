/** Load on a proxy of TCP, by a process of its own on the core of the load. */
import { fileURLToPath } from 'node:url'
import { cpuMicros } from '../proc.ts'
import { converse, run } from '../processes.ts'
import type { RunningTcp } from './contender.ts'

/**
 * What is done: a new connection for each exchange of 64 bytes; exchanges on connections that stay; bytes from the servers;
 * bytes to the servers.
 */
export type TcpKind = 'connect' | 'exchange' | 'download' | 'upload'

export interface TcpLoadPlan {
  readonly port: number
  readonly kind: TcpKind
  readonly connections: number
  /** Of connect and exchange. */
  readonly seconds: number
  /** Of download and upload, over all connections. */
  readonly bytes: number
}

export interface TcpLoadResult {
  /** Connections, exchanges or bytes that were done in whole. */
  readonly done: number
  readonly failed: number
  readonly seconds: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export interface TcpSample extends TcpLoadResult {
  /** Of all threads of the proxy, for one of `done`. */
  readonly cpuMicrosEach: number
}

const LOAD_PROGRAM = fileURLToPath(new URL('./load.process.ts', import.meta.url))
const IDLE_PROGRAM = fileURLToPath(new URL('./idle.process.ts', import.meta.url))

/** One window. The CPU time is taken before the first connection and after the last has ended. */
export async function measureTcp(
  { contender, pids, site }: RunningTcp,
  plan: Omit<TcpLoadPlan, 'port'>,
): Promise<TcpSample> {
  const all = pids()
  const before = cpuMicros(all)
  const found = await loadTcp({ ...plan, port: site.port })
  const used = cpuMicros(all) - before
  if (found.failed > 0 || found.done === 0) {
    const what = `${found.failed} failed, ${found.done} done`
    throw new Error(`${contender.title} cannot do ${plan.kind}: ${what}`)
  }
  return { ...found, cpuMicrosEach: used / found.done }
}

export async function loadTcp(plan: TcpLoadPlan): Promise<TcpLoadResult> {
  const printed = await run([process.execPath, LOAD_PROGRAM, JSON.stringify(plan)])
  return JSON.parse(printed) as TcpLoadResult
}

export interface IdleResult {
  /** Connections that are open and have named their server, by its port. */
  readonly open: Readonly<Record<string, number>>
  /** Connections that ended after they had named a server, by its port. */
  readonly ended: Readonly<Record<string, number>>
  /** Connections that ended before. */
  readonly failed: number
}

export interface IdleConnections {
  /** Opens so many more; resolves once all of them have named their server or failed. */
  readonly open: (count: number) => Promise<IdleResult>
  readonly look: () => Promise<IdleResult>
  readonly end: () => Promise<void>
}

/** Connections that exchange one message and then stay, in a process of their own. */
export function holdConnections(port: number): IdleConnections {
  const child = converse([process.execPath, IDLE_PROGRAM, String(port)])
  child.stdin?.on('error', () => {})
  let received = ''
  let waiting: { done: (result: IdleResult) => void; fail: (error: Error) => void } | null = null
  child.stdout?.on('data', (bytes: Buffer) => {
    received += bytes.toString()
    const line = received.indexOf('\n')
    if (line < 0) return
    const result = JSON.parse(received.slice(0, line)) as IdleResult
    received = received.slice(line + 1)
    waiting?.done(result)
    waiting = null
  })
  const closed = new Promise<void>((done) => {
    child.on('close', () => {
      waiting?.fail(new Error('the process that holds connections ended'))
      done()
    })
  })
  const ask = (count: number): Promise<IdleResult> =>
    new Promise((done, fail) => {
      waiting = { done, fail }
      child.stdin?.write(`${count}\n`)
    })
  return {
    open: ask,
    look: () => ask(0),
    end() {
      child.stdin?.end()
      return closed
    },
  }
}
