/** A real ZooKeeper, alone or as an ensemble, from Debian's package. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type Daemon, type Owner, startDaemon } from './daemon.ts'
import { accepts, choosePort } from './ports.ts'

export interface ZookeeperOptions {
  /** A second port then speaks TLS. `cert` and `key` are texts, `caPath` is a file. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly caPath: string }
}

export interface Zookeeper extends Daemon {
  readonly port: number
  /** `127.0.0.1:port`. */
  readonly endpoint: string
  /** Of `tls`. */
  readonly securePort: number
  /** What it answers to a four-letter word: `srvr`. */
  ask(word: string): Promise<string>
}

/** Debian's jar names all that it needs but Netty's codec, which TLS needs. */
const JARS = '/usr/share/java/zookeeper.jar:/usr/share/java/netty-codec.jar'
/** Half of it is the shortest session that it times. */
const TICK_MS = 200

interface Member {
  readonly id: number
  readonly port: number
  /** `host:port:port` for the other members. */
  readonly peer: string
}

export async function startZookeeper(
  owner: Owner,
  options: ZookeeperOptions = {},
): Promise<Zookeeper> {
  return startMember(owner, await chooseMember(1), [], options)
}

/** Members of one ensemble; each is killed and started by itself. */
export async function startEnsemble(owner: Owner, size: number): Promise<readonly Zookeeper[]> {
  const ids = Array.from({ length: size }, (_, i) => i + 1)
  const members = await Promise.all(ids.map(chooseMember))
  return Promise.all(members.map((member) => startMember(owner, member, members, {})))
}

async function chooseMember(id: number): Promise<Member> {
  const peer = `127.0.0.1:${await choosePort()}:${await choosePort()}`
  return { id, port: await choosePort(), peer }
}

async function startMember(
  owner: Owner,
  { id, port }: Member,
  members: readonly Member[],
  { tls }: ZookeeperOptions,
): Promise<Zookeeper> {
  const securePort = await choosePort()
  const daemon = await startDaemon(owner, {
    command: 'java',
    debianPackage: 'zookeeper',
    args(folder) {
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, 'myid'), String(id))
      const file = join(folder, 'zoo.cfg')
      const lines = [
        `dataDir=${folder}`,
        `clientPort=${port}`,
        'clientPortAddress=127.0.0.1',
        `tickTime=${TICK_MS}`,
        'admin.enableServer=false',
        'maxClientCnxns=0',
        '4lw.commands.whitelist=ruok,srvr',
        // A kill loses nothing that was written: only a machine that goes down would.
        'forceSync=no',
        'initLimit=25',
        'syncLimit=10',
        ...members.map((member) => `server.${member.id}=${member.peer}`),
        ...(tls === undefined ? [] : secureLines(folder, securePort, tls)),
      ]
      writeFileSync(file, lines.join('\n'))
      return [
        // It lives for seconds: compiled once, and for a small machine.
        ...['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx192m', '-Xshare:auto'],
        // More than its 1 MiB, so that it can hold what is too much for us.
        '-Djute.maxbuffer=33554432',
        ...['-cp', JARS, 'org.apache.zookeeper.server.quorum.QuorumPeerMain', file],
      ]
    },
    isReady: () =>
      ask(port, 'srvr').then(
        // It opens its second port a little later.
        (text) => text.includes('Mode:') && (tls === undefined || accepts(securePort)),
        () => false,
      ),
  })
  return {
    ...daemon,
    port,
    endpoint: `127.0.0.1:${port}`,
    securePort,
    ask: (word) => ask(port, word),
  }
}

/** Of its configuration: one PEM file holds its key and its certificate. */
function secureLines(
  folder: string,
  port: number,
  { cert, key, caPath }: Required<ZookeeperOptions>['tls'],
): readonly string[] {
  const pem = join(folder, 'server.pem')
  writeFileSync(pem, `${key}\n${cert}`)
  return [
    `secureClientPort=${port}`,
    'serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory',
    `ssl.keyStore.location=${pem}`,
    'ssl.keyStore.type=PEM',
    `ssl.trustStore.location=${caPath}`,
    'ssl.trustStore.type=PEM',
    'ssl.clientAuth=none',
  ]
}

function ask(port: number, word: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' })
    let text = ''
    socket.setEncoding('utf8')
    // One that is only starting may accept a connection and never answer.
    socket.setTimeout(500, () => socket.destroy())
    socket.on('connect', () => socket.write(word))
    socket.on('data', (piece: string) => (text += piece))
    socket.on('error', reject)
    socket.on('close', () => resolve(text))
  })
}
