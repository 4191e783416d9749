/** Opens sockets to servers. */
import { connect as connectTcp, type NetConnectOpts, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { isAmongLast, KEPT_FOR_ACCEPTING } from '../../http/connection/descriptors.ts'
import { ExchangeError } from '../../http/message/errors.ts'
import type { SocketReads } from '../../http/connection/socket-reads.ts'
import { bracketHost } from '../../model/address.ts'
import { isSocketPath } from '../../model/server-url.ts'
import type { OwnAddress, OwnAddresses } from './own-addresses.ts'
import type { ConnectTarget } from './connect-target.ts'

/**
 * `address` is one of the target's resolved addresses. Reads go to `reads` unless the target speaks TLS. A connection that leads
 * back to one of `own` fails before a byte is sent.
 */
export function openSocket(
  target: ConnectTarget,
  address: string,
  reads: SocketReads,
  own: OwnAddresses,
): Socket {
  const socket = connect(target, address, reads)
  // Before the listeners that write as soon as the socket is connected.
  socket.prependOnceListener('connect', () => {
    const found = own.find(socket)
    if (found !== null) socket.destroy(leadsBack(target, found))
  })
  // Once Node has opened the descriptor, and before it accepts the next client: at the limit, the kernel's queue is dropped.
  process.nextTick(() => {
    if (isAmongLast(socket, KEPT_FOR_ACCEPTING)) socket.destroy(lastDescriptors())
  })
  return socket
}

function leadsBack({ scheme, host, port }: ConnectTarget, { name }: OwnAddress): ExchangeError {
  const server = `${scheme}://${bracketHost(host)}:${port}`
  return new ExchangeError(
    'LEADS_BACK_TO_PROXY',
    `server ${server} leads back to the proxy: it is ${name}; give it another address`,
  )
}

function lastDescriptors(): Error {
  const message = 'the last descriptors are kept for error responses to clients'
  return Object.assign(new Error(message), { code: 'EMFILE' })
}

function connect(target: ConnectTarget, address: string, reads: SocketReads): Socket {
  const { port, tls } = target
  if (tls === null) {
    const where = isSocketPath(address) ? { path: address } : { host: address, port }
    const options: NetConnectOpts = { ...where, noDelay: true, allowHalfOpen: true }
    reads.shareWithNext()
    return connectTcp({ ...options, onread: reads })
  }
  const options: ConnectionOptions & { allowHalfOpen: boolean } = {
    host: address,
    port,
    allowHalfOpen: true,
    secureContext: tls.context,
    servername: tls.serverName,
    rejectUnauthorized: tls.verify,
    ALPNProtocols: ['http/1.1'],
  }
  const socket = connectTls(tls.session === null ? options : { ...options, session: tls.session })
  socket.setNoDelay(true)
  socket.on('session', (session: Buffer) => {
    tls.session = session
  })
  return socket
}
