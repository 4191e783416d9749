/**
 * Memory per idle client connection: what resident memory grows by between a small and a large number of connections that
 * have each done one request and stay open. What the kernel holds for a socket is the same for everybody and not counted.
 */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { openSite, reasonOf } from '../bench.ts'
import type { Bench } from '../bench.ts'
import { startContender } from '../contender.ts'
import type { Contender } from '../contender.ts'
import { openFileLimit, residentBytes } from '../proc.ts'
import { RESPONSE_BYTES, browserHead, hostOf } from '../request.ts'

export interface MemoryResult {
  readonly contender: string
  readonly title: string
  readonly connections: number
  readonly bytesPerConnection: number
  /** With the large number of connections open. */
  readonly residentBytes: number
}

const SETTLE_MS = 700
const AT_ONCE = 50

export async function measureMemory(bench: Bench): Promise<MemoryResult[]> {
  const results: MemoryResult[] = []
  for (const contender of bench.contenders) {
    bench.say(contender.title)
    try {
      results.push(await measureOne(bench, contender))
    } catch (error) {
      bench.say(`${contender.title} is left out: ${reasonOf(error)}`)
    }
  }
  return results
}

async function measureOne(bench: Bench, contender: Contender): Promise<MemoryResult> {
  // Half of what may be open, for a proxy holds two descriptors for a connection in the worst case.
  const most = Math.floor(openFileLimit() / 2) - 500
  const [few, many] = bench.plan.idleConnections.map((count) => Math.min(count, most))
  const from = few ?? 0
  const to = Math.max(many ?? 0, from + 100)
  const site = await openSite(bench, contender.name, 1)
  const running = await startContender(contender, site, { path: '/1k' })
  const idle: Socket[] = []
  try {
    // No load before: a heap that has grown under load would take in thousands of connections and hide them.
    await openIdle(site.port, from, idle)
    await pause(SETTLE_MS)
    const before = residentBytes(running.pids())
    await openIdle(site.port, to - from, idle)
    await pause(SETTLE_MS)
    const after = residentBytes(running.pids())
    const closed = idle.filter((socket) => socket.closed || socket.readableEnded).length
    if (closed > 0) throw new Error(`it closed ${closed} of ${idle.length} idle connections`)
    return {
      contender: contender.name,
      title: contender.title,
      connections: to - from,
      bytesPerConnection: (after - before) / (to - from),
      residentBytes: after,
    }
  } finally {
    for (const socket of idle) socket.destroy()
    await running.stop()
  }
}

async function openIdle(port: number, count: number, idle: Socket[]): Promise<void> {
  let left = count
  const one = async (): Promise<void> => {
    while (left-- > 0) idle.push(await openConnection(port))
  }
  await Promise.all(Array.from({ length: AT_ONCE }, one))
}

/** A connection that has had its response. */
function openConnection(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let received = ''
    socket.on('error', reject)
    socket.on('end', () =>
      reject(new Error('it closed a connection before the response was whole')),
    )
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      const head = received.indexOf('\r\n\r\n')
      if (head < 0 || received.length < head + 4 + RESPONSE_BYTES['1k']) return
      if (received.startsWith('HTTP/1.1 200')) resolve(socket)
      else reject(new Error(received.slice(0, 40)))
    })
    socket.write(browserHead('1k', hostOf(0)))
  })
}
