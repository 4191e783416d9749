/** Before anybody is timed: does it proxy? Proofs against origins that say what they saw. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { Agent, createServer } from 'node:http'
import type { IncomingMessage, OutgoingHttpHeaders, RequestOptions, Server } from 'node:http'
import { request } from 'node:http'
import { request as secureRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import { startContender } from './contender.ts'
import type { Contender, Running } from './contender.ts'
import { createSite } from './site.ts'
import type { CertificateFiles } from './site.ts'

const LARGE = randomBytes(100 * 1024)

interface Seen {
  readonly origin: number
  readonly connection: number
  readonly host: string
  readonly forwardedFor: string
}

interface Response {
  readonly status: number
  readonly body: Buffer
  readonly seen: Seen | null
  /** The client's own port: the same one means the connection was kept. */
  readonly localPort: number
}

interface Call extends RequestOptions {
  readonly body?: Buffer
  readonly secure?: boolean
}

interface Proof {
  readonly says: string
  readonly needs?: 'all' | 'tls'
  readonly holds: (ask: (call: Call) => Promise<Response>) => Promise<void>
}

const PROOFS: readonly Proof[] = [
  {
    says: 'passes a GET and its response on, Host and client address with it',
    async holds(ask) {
      const response = await ask({ path: '/hello' })
      assert.equal(response.status, 200)
      assert.equal(response.body.toString(), 'hello')
      assert.equal(response.seen?.host, 'localhost')
      assert.match(response.seen?.forwardedFor ?? '', /(^|[, ])(::ffff:)?127\.0\.0\.1$/)
    },
  },
  {
    says: 'responds to HEAD without a body and keeps the connection in step',
    needs: 'all',
    async holds(ask) {
      const response = await ask({ path: '/hello', method: 'HEAD' })
      const next = await ask({ path: '/hello' })
      assert.deepEqual([response.status, response.body.length], [200, 0])
      assert.equal(next.body.toString(), 'hello')
    },
  },
  {
    says: 'passes a 404 of the origin on',
    async holds(ask) {
      const response = await ask({ path: '/missing' })
      assert.deepEqual([response.status, response.body.toString()], [404, 'not here'])
    },
  },
  {
    says: 'delivers 100 KiB unchanged',
    async holds(ask) {
      const response = await ask({ path: '/large' })
      assert.equal(hash(response.body), hash(LARGE))
    },
  },
  {
    says: 'keeps connections on both sides and uses both origins',
    async holds(ask) {
      const responses: Response[] = []
      for (let i = 0; i < 20; i++) responses.push(await ask({ path: '/hello' }))
      const count = (of: (response: Response) => unknown): number => new Set(responses.map(of)).size
      assert.equal(
        count((response) => response.localPort),
        1,
      )
      assert.equal(
        count((response) => response.seen?.origin),
        2,
      )
      assert.ok(count((response) => `${response.seen?.origin} ${response.seen?.connection}`) <= 4)
    },
  },
  {
    says: 'passes a POST with a length on',
    needs: 'all',
    async holds(ask) {
      const headers = { 'content-length': LARGE.length }
      const response = await ask({ path: '/echo', method: 'POST', headers, body: LARGE })
      assert.equal(hash(response.body), hash(LARGE))
    },
  },
  {
    says: 'passes a chunked POST on',
    needs: 'all',
    async holds(ask) {
      const headers = { 'transfer-encoding': 'chunked' }
      const response = await ask({ path: '/echo', method: 'POST', headers, body: LARGE })
      assert.equal(hash(response.body), hash(LARGE))
    },
  },
  {
    says: 'serves the same through TLS',
    needs: 'tls',
    async holds(ask) {
      const response = await ask({ path: '/large', secure: true })
      assert.equal(hash(response.body), hash(LARGE))
    },
  },
]

/** Null when every proof holds, else the first that does not. */
export async function verify(
  contender: Contender,
  folder: string,
  certificate: CertificateFiles | null,
): Promise<string | null> {
  const origins = [await startEcho(0), await startEcho(1)] as const
  const ports = [portOf(origins[0]), portOf(origins[1])] as const
  let running: Running | null = null
  try {
    const site = await createSite(folder, { certificate, origins: ports, routes: 1 })
    running = await startContender(contender, site, { path: '/hello' })
    for (const proof of PROOFS) {
      if (proof.needs === 'all' && contender.partial) continue
      if (proof.needs === 'tls' && (!contender.tls || certificate === null)) continue
      // What it serves over TLS is HTTP/2 alone, which these proofs do not speak.
      if (proof.needs === 'tls' && contender.http2 === 'only') continue
      const failure = await failureOf(proof, running)
      if (failure !== null) return `${proof.says}: ${failure}`
    }
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    await running?.stop()
    for (const origin of origins) {
      origin.close()
      origin.closeAllConnections()
    }
  }
}

async function failureOf(proof: Proof, { site }: Running): Promise<string | null> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  try {
    await proof.holds((call) => {
      const port = call.secure ? site.tlsPort : site.port
      // TLS is requested once for each proof, so it needs no agent; the certificate is of this bench.
      const way = call.secure ? { agent: false, rejectUnauthorized: false } : { agent }
      return exchange({ host: '127.0.0.1', port, ...way, ...call })
    })
    return null
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ')
  } finally {
    agent.destroy()
  }
}

function exchange(call: Call): Promise<Response> {
  return new Promise((resolve, reject) => {
    const open = call.secure ? secureRequest : request
    const outgoing = open({ ...call, headers: { host: 'localhost', ...fieldsOf(call) } })
    outgoing.setTimeout(5000, () => outgoing.destroy(new Error('no response for 5 s')))
    outgoing.on('error', reject)
    outgoing.on('response', (incoming: IncomingMessage) => {
      // Read immediately: a used connection may be gone, and its port with it, when the body ends.
      const localPort = incoming.socket.localPort ?? 0
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('error', reject)
      incoming.on('end', () => {
        const said = incoming.headers['x-seen']
        const seen = typeof said === 'string' ? (JSON.parse(said) as Seen) : null
        const body = Buffer.concat(chunks)
        resolve({ status: incoming.statusCode ?? 0, body, seen, localPort })
      })
    })
    outgoing.end(call.body)
  })
}

function fieldsOf(call: Call): OutgoingHttpHeaders {
  return (call.headers ?? {}) as OutgoingHttpHeaders
}

/** An origin that echoes bodies and reports in a header of its own what it saw of a request. */
function startEcho(origin: number): Promise<Server> {
  let connections = 0
  const numbers = new WeakMap<object, number>()
  const server = createServer((incoming, response) => {
    const seen: Seen = {
      origin,
      connection: numbers.get(incoming.socket) ?? 0,
      host: incoming.headers.host ?? '',
      forwardedFor: String(incoming.headers['x-forwarded-for'] ?? ''),
    }
    response.setHeader('X-Seen', JSON.stringify(seen))
    if (incoming.url === '/echo') {
      incoming.pipe(response)
      return
    }
    const known = { '/hello': Buffer.from('hello'), '/large': LARGE }[incoming.url ?? '']
    const body = known ?? Buffer.from('not here')
    response.writeHead(known === undefined ? 404 : 200, { 'Content-Length': body.length })
    response.end(incoming.method === 'HEAD' ? undefined : body)
  })
  server.on('connection', (socket) => numbers.set(socket, ++connections))
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(server))
  })
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}

function hash(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex')
}
