/** A real etcd, alone or as a cluster, and a way to write to it that shares no code with ours: its JSON gateway. */
import { request } from 'node:http'
import { mkdirSync } from 'node:fs'
import { type Daemon, type Owner, startDaemon } from './daemon.ts'
import { choosePort } from './ports.ts'

export interface EtcdOptions {
  /** Beside the usual ones: `['--auth-token-ttl', '2']`. */
  readonly args?: readonly string[]
  /** Files. `endpoint` then speaks TLS; with a `ca` it asks clients for a certificate. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string }
}

export interface Etcd extends Daemon {
  /** Of `endpoint`. */
  readonly port: number
  /** `127.0.0.1:port`, for a client. */
  readonly endpoint: string
  /** Answers the revision. A TTL is in whole seconds, as etcd has it. */
  put(key: string, value: string | Buffer, ttlSeconds?: number): Promise<string>
  /** How many there were. */
  del(key: string): Promise<number>
  /** Every key that begins with this. */
  delAll(prefix: string): Promise<number>
  /** `POST /v3/...` in the clear; throws what etcd refuses. `token` when auth is on. */
  call(path: string, body: object, token?: string): Promise<Record<string, unknown>>
}

/** A member alone waits for no other: it elects itself at once, and its leases may be as short as a second. */
const ALONE = ['--heartbeat-interval', '20', '--election-timeout', '200']

interface Member {
  readonly name: string
  readonly port: number
  readonly plainPort: number
  readonly healthPort: number
  readonly peer: string
}

export async function startEtcd(owner: Owner, options: EtcdOptions = {}): Promise<Etcd> {
  const member = await chooseMember('n1', options)
  return startMember(owner, member, [member], options)
}

/** Members of one cluster; each is killed and started by itself. */
export async function startEtcdCluster(
  owner: Owner,
  size: number,
  options: EtcdOptions = {},
): Promise<readonly Etcd[]> {
  const names = Array.from({ length: size }, (_, i) => `n${i + 1}`)
  const members = await Promise.all(names.map((name) => chooseMember(name, options)))
  return Promise.all(members.map((member) => startMember(owner, member, members, options)))
}

async function chooseMember(name: string, { tls }: EtcdOptions): Promise<Member> {
  const plainPort = await choosePort()
  const port = tls === undefined ? plainPort : await choosePort()
  const peer = `http://127.0.0.1:${await choosePort()}`
  return { name, port, plainPort, healthPort: await choosePort(), peer }
}

async function startMember(
  owner: Owner,
  member: Member,
  members: readonly Member[],
  { args = [], tls }: EtcdOptions,
): Promise<Etcd> {
  const { port, plainPort, healthPort } = member
  const plain = `http://127.0.0.1:${plainPort}`
  const clients = tls === undefined ? plain : `${plain},https://127.0.0.1:${port}`

  const daemon = await startDaemon(owner, {
    command: 'etcd',
    debianPackage: 'etcd-server',
    args(folder) {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      const files = tls === undefined ? [] : ['--cert-file', tls.cert, '--key-file', tls.key]
      if (tls?.ca !== undefined) files.push('--client-cert-auth', '--trusted-ca-file', tls.ca)
      return [
        ...['--data-dir', folder, '--name', member.name, '--log-level', 'error'],
        ...['--listen-client-urls', clients, '--advertise-client-urls', clients],
        ...['--listen-peer-urls', member.peer, '--initial-advertise-peer-urls', member.peer],
        '--initial-cluster',
        members.map(({ name, peer }) => `${name}=${peer}`).join(','),
        // In the clear also where clients need certificates.
        ...['--listen-metrics-urls', `http://127.0.0.1:${healthPort}`],
        // More than its 1.5 MiB, so that it can hold what is too much for us.
        ...['--max-request-bytes', '8388608'],
        // A kill loses nothing that was written: only a machine that goes down would.
        '--unsafe-no-fsync',
        ...(members.length === 1 ? ALONE : []),
        ...files,
        ...args,
      ]
    },
    isReady: () =>
      exchange(healthPort, 'GET', '/health').then(
        ({ text }) => text.includes('"true"'),
        () => false,
      ),
  })

  const call: Etcd['call'] = async (path, body, token) => {
    const { status, text } = await exchange(plainPort, 'POST', path, JSON.stringify(body), token)
    if (status !== 200) throw new Error(`etcd refused ${path}: ${status} ${text}`)
    return JSON.parse(text) as Record<string, unknown>
  }
  const remove = async (key: string, rangeEnd?: string): Promise<number> => {
    const { deleted = 0 } = await call('/v3/kv/deleterange', { key, range_end: rangeEnd })
    return Number(deleted)
  }

  return {
    ...daemon,
    port,
    endpoint: `127.0.0.1:${port}`,
    call,
    async put(key, value, ttlSeconds) {
      const lease =
        ttlSeconds === undefined ? undefined : await call('/v3/lease/grant', { TTL: ttlSeconds })
      const response = await call('/v3/kv/put', {
        key: toBase64(key),
        value: toBase64(value),
        lease: lease?.['ID'],
      })
      return String((response['header'] as { revision: string }).revision)
    },
    del: (key) => remove(toBase64(key)),
    delAll(prefix) {
      const end = Buffer.from(prefix)
      end[end.length - 1] = (end.at(-1) ?? 0) + 1
      return remove(toBase64(prefix), toBase64(end))
    },
  }
}

function toBase64(value: string | Buffer): string {
  return Buffer.from(value as string).toString('base64')
}

function exchange(
  port: number,
  method: string,
  path: string,
  body = '',
  token?: string,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const headers = token === undefined ? {} : { Authorization: token }
    const outgoing = request(
      { port, host: '127.0.0.1', method, path, headers, agent: false },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (piece: string) => (text += piece))
        response.once('error', reject)
        response.once('end', () => resolve({ status: response.statusCode ?? 0, text }))
      },
    )
    outgoing.once('error', reject)
    outgoing.end(body)
  })
}
