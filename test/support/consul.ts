/** A real Consul, alone or as a cluster, and a way to write to it that shares no code with ours. */
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { fileURLToPath } from 'node:url'
import { type Daemon, type Owner, startDaemon } from './daemon.ts'
import { choosePort } from './ports.ts'

export interface ConsulOptions {
  /** Beside the usual configuration, in HCL: `acl { enabled = true }`. */
  readonly hcl?: string
  readonly datacenter?: string
  /** Where it serves DNS; by default nowhere. */
  readonly dnsPort?: number
  /** Of this helper's own requests. */
  readonly token?: string
  /** A server of another data center to join: its `wanPort`. */
  readonly joinWan?: number
}

export interface ConsulAnswer {
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>
  readonly text: string
}

/** A service as `/v1/agent/service/register` takes it. */
export interface ConsulService {
  readonly Name: string
  readonly ID?: string
  readonly Tags?: readonly string[]
  readonly Address?: string
  readonly Port?: number
  readonly Meta?: Readonly<Record<string, string>>
  readonly Weights?: { readonly Passing: number; readonly Warning: number }
  readonly Check?: object
  readonly Checks?: readonly object[]
}

export interface Consul extends Daemon {
  readonly node: string
  readonly port: number
  /** `127.0.0.1:port`, for a client. */
  readonly endpoint: string
  readonly wanPort: number
  /** Throws what Consul refuses, but for 404. */
  call(method: string, path: string, body?: unknown): Promise<ConsulAnswer>
  put(key: string, value: string | Buffer): Promise<void>
  register(service: ConsulService): Promise<void>
  deregister(id: string): Promise<void>
  /** Of a check with a TTL: `service:web-1`. */
  setCheck(id: string, status: 'passing' | 'warning' | 'critical'): Promise<void>
}

interface Member {
  readonly node: string
  readonly port: number
  readonly serverPort: number
  readonly lanPort: number
  readonly wanPort: number
}

let command: string | null = null

/** Fetched once for all processes: scripts/get-consul.mjs. */
export function consulCommand(): string {
  const script = fileURLToPath(new URL('../../scripts/get-consul.mjs', import.meta.url))
  command ??= execFileSync(process.execPath, [script], { encoding: 'utf8' }).trim()
  return command
}

export async function startConsul(owner: Owner, options: ConsulOptions = {}): Promise<Consul> {
  const member = await chooseMember('n1')
  return startMember(owner, member, [member], options)
}

/** Servers of one cluster; each is killed and started by itself. */
export async function startConsulCluster(
  owner: Owner,
  size: number,
  options: ConsulOptions = {},
): Promise<readonly Consul[]> {
  const names = Array.from({ length: size }, (_, i) => `n${i + 1}`)
  const members = await Promise.all(names.map(chooseMember))
  return Promise.all(members.map((member) => startMember(owner, member, members, options)))
}

/** The server that leads now. */
export async function leaderOf(servers: readonly Consul[]): Promise<Consul> {
  for (const server of servers) {
    const { text } = await server.call('GET', '/v1/agent/self').catch(() => ({ text: '{}' }))
    const { Stats } = JSON.parse(text) as { Stats?: { consul?: { leader?: string } } }
    if (Stats?.consul?.leader === 'true') return server
  }
  throw new Error('no server leads')
}

async function chooseMember(node: string): Promise<Member> {
  const [port, serverPort, lanPort, wanPort] = [
    await choosePort(),
    await choosePort(),
    await choosePort(),
    await choosePort(),
  ]
  return { node, port, serverPort, lanPort, wanPort }
}

async function startMember(
  owner: Owner,
  member: Member,
  members: readonly Member[],
  { hcl = '', datacenter = 'dc1', dnsPort = -1, token, joinWan }: ConsulOptions,
): Promise<Consul> {
  const { node, port, serverPort, lanPort, wanPort } = member
  const agent = new Agent({ keepAlive: true, maxSockets: 16 })
  const ask = (method: string, path: string, body?: string | Buffer): Promise<ConsulAnswer> =>
    exchange({ agent, port, method, path, body: body ?? '', token })

  const daemon = await startDaemon(owner, {
    command: consulCommand(),
    debianPackage: 'consul',
    args(folder) {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      const others = members.filter((one) => one !== member)
      return [
        ...['agent', '-server', '-data-dir', folder, '-node', node, '-datacenter', datacenter],
        ...['-bind', '127.0.0.1', '-client', '127.0.0.1', '-log-level', 'warn'],
        ...['-bootstrap-expect', String(members.length), '-http-port', String(port)],
        ...['-grpc-port', '-1', '-dns-port', String(dnsPort), '-server-port', String(serverPort)],
        ...['-serf-lan-port', String(lanPort), '-serf-wan-port', String(wanPort)],
        ...others.flatMap((one) => ['-retry-join', `127.0.0.1:${one.lanPort}`]),
        ...['-retry-interval', '1s', '-retry-interval-wan', '1s'],
        ...(joinWan === undefined ? [] : ['-retry-join-wan', `127.0.0.1:${joinWan}`]),
        '-hcl',
        // Values larger than Consul's 512 KiB, and sessions shorter than its 10 s, so that the tests need not wait.
        `disable_update_check = true, performance { raft_multiplier = 1 }, session_ttl_min = "500ms", leave_on_terminate = false
         limits { kv_max_value_size = 8388608, txn_max_req_len = 8388608 }
         ${hcl}`,
      ]
    },
    isReady: () =>
      ask('GET', `/v1/health/node/${node}`).then(
        ({ status, text }) => status === 200 && text.includes('"serfHealth"'),
        () => false,
      ),
  })
  owner.after(() => agent.destroy())

  const call: Consul['call'] = async (method, path, body) => {
    const bytes = body === undefined || body instanceof Buffer ? body : JSON.stringify(body)
    const answer = await ask(method, path, bytes)
    if (answer.status === 200 || answer.status === 404) return answer
    throw new Error(`Consul refused ${path}: ${answer.status} ${answer.text}`)
  }

  return {
    ...daemon,
    node,
    port,
    endpoint: `127.0.0.1:${port}`,
    wanPort,
    call,
    async put(key, value) {
      // As a path, some keys would be redirected.
      const Value = Buffer.from(value as string).toString('base64')
      await call('PUT', '/v1/txn', [{ KV: { Verb: 'set', Key: key, Value } }])
    },
    async register(service) {
      await call('PUT', '/v1/agent/service/register', service)
    },
    async deregister(id) {
      await call('PUT', `/v1/agent/service/deregister/${encodeURIComponent(id)}`)
    },
    async setCheck(id, status) {
      await call('PUT', `/v1/agent/check/update/${encodeURIComponent(id)}`, { Status: status })
    },
  }
}

interface Exchange {
  readonly agent: Agent
  readonly port: number
  readonly method: string
  readonly path: string
  readonly body: string | Buffer
  readonly token: string | undefined
}

function exchange({ agent, port, method, path, body, token }: Exchange): Promise<ConsulAnswer> {
  return new Promise((resolve, reject) => {
    const headers = token === undefined ? {} : { 'X-Consul-Token': token }
    const sent = request({ agent, host: '127.0.0.1', port, method, path, headers }, (answer) => {
      const pieces: Buffer[] = []
      answer.on('data', (piece: Buffer) => pieces.push(piece))
      answer.on('error', reject)
      answer.on('end', () => {
        const text = Buffer.concat(pieces).toString()
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text })
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
