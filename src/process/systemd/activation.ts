/**
 * Socket activation (sd_listen_fds): systemd has opened the sockets before it starts the program, which so needs no right to
 * bind them, and no connection is refused while it restarts. LISTEN_FDS of them begin at descriptor 3, if LISTEN_PID is this
 * process; LISTEN_FDNAMES names them. A socket is for the listener of its name, else for that of its address. A unit gives all of its
 * sockets one name, which says nothing if they are of several ports.
 */
import { closeSync, openSync, readFileSync, readlinkSync, readSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import type { ListeningSocket } from '../../model/listening-socket.ts'
import type { Address } from '../../model/snapshot.ts'

const FIRST_FD = 3
const MOST_SOCKETS = 10_000
/** Linux: the state of a listening socket in /proc/net/tcp. */
const LISTENS = '0A'
const CHUNK = 64 * 1024

export interface Activation {
  readonly sockets: readonly ListeningSocket[]
  /** Descriptors that cannot be used, and why. */
  readonly problems: readonly string[]
}

/** Takes the variables out of `env`, which programs that this one starts would inherit. `root`: /proc. */
export function takeActivation(
  env: NodeJS.ProcessEnv,
  pid: number,
  root: string = '/proc',
): Activation {
  const count = Number(env['LISTEN_FDS'] ?? 0)
  const names = (env['LISTEN_FDNAMES'] ?? '').split(':')
  const isOurs = env['LISTEN_PID'] === String(pid)
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name]
  if (!isOurs || !Number.isSafeInteger(count) || count < 1) return { sockets: [], problems: [] }
  if (count > MOST_SOCKETS) {
    const problem = `LISTEN_FDS names ${count} sockets of systemd; at most ${MOST_SOCKETS} are taken, so none is used`
    return { sockets: [], problems: [problem] }
  }
  const places = new Map<string, Address | string>([
    ...listeningTcp(`${root}/net/tcp`),
    ...listeningTcp(`${root}/net/tcp6`),
    ...unixPaths(`${root}/net/unix`),
  ])
  const sockets: ListeningSocket[] = []
  const problems: string[] = []
  for (let at = 0; at < count; at++) {
    const fd = FIRST_FD + at
    const place = places.get(inodeOf(`${root}/self/fd/${fd}`))
    const name = names[at] ?? ''
    if (place === undefined) {
      const called = name === '' ? '' : ` (${name})`
      problems.push(
        `descriptor ${fd}${called} of systemd is not used: it is no listening stream socket (ListenStream=, Accept=no)`,
      )
    } else sockets.push({ fd, at: place, listener: name || null, declared: null })
  }
  return { sockets: withoutVagueNames(sockets), problems }
}

function withoutVagueNames(sockets: readonly ListeningSocket[]): ListeningSocket[] {
  const places = Map.groupBy(sockets, ({ listener }) => listener)
  return sockets.map((socket) => {
    const alike = places.get(socket.listener) ?? []
    return new Set(alike.map(portOf)).size > 1 ? { ...socket, listener: null } : socket
  })
}

function portOf({ at }: ListeningSocket): string | number {
  return typeof at === 'string' ? at : at.port
}

/** `socket:[4711]` -> 4711. */
function inodeOf(link: string): string {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(link))?.[1] ?? ''
  } catch {
    return ''
  }
}

/** By inode. */
function* listeningTcp(path: string): Generator<[string, Address]> {
  for (const line of headOf(path)) {
    const [, local = '', , state = '', , , , , , inode = ''] = line.trim().split(/\s+/)
    if (state !== LISTENS) continue
    const [host = '', port = ''] = local.split(':')
    yield [inode, { host: toHost(host), port: Number.parseInt(port, 16) }]
  }
}

/** The lines up to the first socket that does not listen: those that listen come first, and connections may be many. */
function headOf(path: string): string[] {
  let text = ''
  let fd: number | null = null
  try {
    fd = openSync(path, 'r')
    const chunk = Buffer.alloc(CHUNK)
    for (;;) {
      const size = readSync(fd, chunk)
      text += chunk.toString('latin1', 0, size)
      const last = text.slice(0, text.lastIndexOf('\n')).split('\n').at(-1)?.trim().split(/\s+/)
      if (size === 0 || (last?.[3] !== 'st' && last?.[3] !== LISTENS)) break
    }
  } catch {
    // Without IPv6 there is no such file.
  }
  if (fd !== null) closeSync(fd)
  return text.split('\n').slice(1)
}

/** The kernel writes words of 32 bits in the order of the machine, which is little-endian wherever Node runs. */
function toHost(hex: string): string {
  const words = hex.match(/.{8}/g) ?? []
  const bytes = words.flatMap((word) => Buffer.from(word, 'hex').reverse().toJSON().data)
  if (bytes.length === 4) return bytes.join('.')
  const groups = Array.from({ length: 8 }, (_, at) =>
    (((bytes[at * 2] ?? 0) << 8) | (bytes[at * 2 + 1] ?? 0)).toString(16),
  )
  const host = new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
  const mapped = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(host)
  if (mapped === null) return host
  const plain = bytes.slice(12).join('.')
  return isIPv4(plain) ? plain : host
}

/** Those with the flag of a listening socket (SO_ACCEPTCON), by inode. */
function* unixPaths(path: string): Generator<[string, string]> {
  let text = ''
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return
  }
  for (const line of text.split('\n').slice(1)) {
    const match = /^\S+: \S+ \S+ (\S+) 0001 \S+ +(\d+) (.+)$/.exec(line)
    const [, flags = '', inode = '', name = ''] = match ?? []
    if (Number.parseInt(flags, 16) === 0x10000) yield [inode, name]
  }
}
