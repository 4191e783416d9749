/** Opens sockets to servers. */
import { connect as connectTcp, type NetConnectOpts, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import { isAmongLast, KEPT_FOR_ACCEPTING } from '../../http/connection/descriptors.ts'
import { ExchangeError } from '../../http/message/errors.ts'
import type { SocketReads } from '../../http/connection/socket-reads.ts'
import { bracketHost } from '../../model/address.ts'
import { isSocketPath } from '../../model/server-url.ts'
import type { OwnAddress, OwnAddresses } from './own-addresses.ts'
import type { ConnectTarget } from './connect-target.ts'

/**
 * `address` is one of the target's resolved addresses. Reads go to `reads` if it is given and the target speaks no TLS. A
 * connection that leads back to one of `own` fails before a byte is sent. `proxyHeader` is sent before everything else, TLS
 * included.
 */
export function openSocket(
  target: ConnectTarget,
  address: string,
  reads: SocketReads | null,
  own: OwnAddresses,
  proxyHeader: Buffer | null,
): Socket {
  const lowest = connect(target, address, reads, proxyHeader)
  const { keepAliveMs } = target
  if (keepAliveMs > 0) {
    // Not before: what is set on a socket without a descriptor loses its time.
    lowest.once('connect', () => lowest.setKeepAlive(true, wholeSeconds(keepAliveMs) * 1000))
  }
  // Before the listeners that write as soon as the socket is connected.
  lowest.prependOnceListener('connect', () => {
    const found = own.find(lowest)
    if (found !== null) lowest.destroy(leadsBack(target, found))
  })
  // Once Node has opened the descriptor, and before it accepts the next client: at the limit, the kernel's queue is dropped.
  process.nextTick(() => {
    if (isAmongLast(lowest, KEPT_FOR_ACCEPTING)) lowest.destroy(lastDescriptors())
  })
  return target.tls === null || proxyHeader === null ? lowest : secure(lowest, address, target.tls)
}

/** TCP counts in seconds. */
export function wholeSeconds(ms: number): number {
  return Math.ceil(ms / 1000)
}

export function leadsBack(
  { scheme, host, port }: ConnectTarget,
  { name }: OwnAddress,
): ExchangeError {
  const server = `${scheme}://${bracketHost(host)}:${port}`
  return new ExchangeError(
    'LEADS_BACK_TO_PROXY',
    `server ${server} leads back to the proxy: it is ${name}; give it another address`,
  )
}

export function lastDescriptors(): Error {
  const message = 'the last descriptors are kept for error responses to clients'
  return Object.assign(new Error(message), { code: 'EMFILE' })
}

function connect(
  { port, tls }: ConnectTarget,
  address: string,
  reads: SocketReads | null,
  proxyHeader: Buffer | null,
): Socket {
  if (tls !== null && proxyHeader === null) {
    const socket = connectTls({ ...tlsOptions(tls), host: address, port })
    socket.setNoDelay(true)
    return keepSession(socket, tls)
  }
  const where = isSocketPath(address) ? { path: address } : { host: address, port }
  const options: NetConnectOpts = { ...where, noDelay: true, allowHalfOpen: true }
  const onread = tls === null ? reads : null
  onread?.shareWithNext()
  const socket = connectTcp(onread === null ? options : { ...options, onread })
  if (proxyHeader !== null) writeFirst(socket, proxyHeader)
  return socket
}

/** With the request that is written in this turn, it is one segment. */
function writeFirst(socket: Socket, proxyHeader: Buffer): void {
  socket.cork()
  socket.write(proxyHeader)
  process.nextTick(() => socket.uncork())
}

/** TLS on a TCP socket whose first bytes are in clear text. */
function secure(below: Socket, address: string, tls: TargetTls): Socket {
  const socket = connectTls({ ...tlsOptions(tls), host: address, socket: below })
  below.on('error', (error) => socket.destroy(error))
  return keepSession(socket, tls)
}

type TargetTls = NonNullable<ConnectTarget['tls']>

function tlsOptions(tls: TargetTls): ConnectionOptions & { allowHalfOpen: boolean } {
  return {
    allowHalfOpen: true,
    secureContext: tls.context,
    servername: tls.serverName,
    rejectUnauthorized: tls.verify,
    ...(tls.protocols.length === 0 ? {} : { ALPNProtocols: [...tls.protocols] }),
    ...(tls.session === null ? {} : { session: tls.session }),
  }
}

function keepSession(socket: TLSSocket, tls: TargetTls): TLSSocket {
  if (!tls.resumes) return socket
  return socket.on('session', (session: Buffer) => {
    tls.session = session
  })
}
