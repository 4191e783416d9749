/**
 * Memory per idle client connection: what resident memory grows by between a small and a large number of connections that
 * have each done one request and stay open. What the kernel holds for a socket is the same for everybody and not counted.
 */
import { connect } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { openSite, reasonOf } from '../bench.ts'
import type { Bench } from '../bench.ts'
import { startContender } from '../contender.ts'
import type { Contender } from '../contender.ts'
import { openFileLimit, residentBytes } from '../proc.ts'
import type { Site } from '../site.ts'
import { connectHttp2Client } from '../../test/support/http2/client.ts'
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

/** How one connection is opened and used. */
interface Kind {
  readonly name: string
  readonly fits: (contender: Contender) => boolean
  readonly open: (site: Site) => Promise<Socket>
}

export function measureMemory(bench: Bench): Promise<MemoryResult[]> {
  const open = (site: Site): Promise<Socket> => openConnection(site.port)
  return measureKinds(bench, [{ name: '', fits: ({ http2 }) => http2 !== 'only', open }])
}

/** In clear for those who take HTTP/2 and HTTP/1 on one port. */
export function measureHttp2Memory(bench: Bench): Promise<MemoryResult[]> {
  return measureKinds({ ...bench, http2: true }, [
    {
      name: ', in clear',
      fits: ({ http2, name }) => http2 === 'also' && name !== 'nginx',
      open: ({ port }) => openHttp2Connection(port, null),
    },
    {
      name: ', TLS',
      fits: ({ http2 }) => http2 !== undefined,
      open: ({ tlsPort }) => openHttp2Connection(tlsPort, { rejectUnauthorized: false }),
    },
  ])
}

async function measureKinds(bench: Bench, kinds: readonly Kind[]): Promise<MemoryResult[]> {
  const results: MemoryResult[] = []
  for (const kind of kinds) {
    for (const contender of bench.contenders.filter(kind.fits)) {
      bench.say(contender.title + kind.name)
      try {
        results.push(await measureOne(bench, contender, kind))
      } catch (error) {
        bench.say(`${contender.title} is left out: ${reasonOf(error)}`)
      }
    }
  }
  return results
}

async function measureOne(bench: Bench, contender: Contender, kind: Kind): Promise<MemoryResult> {
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
    await openIdle(() => kind.open(site), from, idle)
    await pause(SETTLE_MS)
    const before = residentBytes(running.pids())
    await openIdle(() => kind.open(site), to - from, idle)
    await pause(SETTLE_MS)
    const after = residentBytes(running.pids())
    const closed = idle.filter((socket) => socket.closed || socket.readableEnded).length
    if (closed > 0) throw new Error(`it closed ${closed} of ${idle.length} idle connections`)
    return {
      contender: contender.name,
      title: contender.title + kind.name,
      connections: to - from,
      bytesPerConnection: (after - before) / (to - from),
      residentBytes: after,
    }
  } finally {
    for (const socket of idle) socket.destroy()
    await running.stop()
  }
}

async function openIdle(open: () => Promise<Socket>, count: number, idle: Socket[]): Promise<void> {
  let left = count
  const one = async (): Promise<void> => {
    while (left-- > 0) idle.push(await open())
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

/** The same over HTTP/2; null: in clear. */
async function openHttp2Connection(port: number, tls: ConnectionOptions | null): Promise<Socket> {
  const options = tls === null ? {} : { tls: { ...tls, servername: 'localhost' } }
  const client = await connectHttp2Client(port, options)
  const { status, body } = await client.ask({
    path: '/1k',
    authority: hostOf(0),
    scheme: tls === null ? 'http' : 'https',
  })
  if (status !== 200 || body.length !== RESPONSE_BYTES['1k']) throw new Error(`status ${status}`)
  return client.socket
}
