/** The sockets of the admin: a TCP address, in clear or with TLS, and a unix socket. All of them have the same bounds. */
import { lstatSync, renameSync, rmSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import { dirname, join } from 'node:path'
import { descriptorOf } from '../http/connection/descriptors.ts'
import { stateOfPath } from '../http/connection/unix-socket.ts'
import { formatAddress } from '../model/address.ts'
import type { Address } from '../model/snapshot.ts'
import { keepRoom } from './connection-room.ts'

const LIMITS = {
  maxHeaderSize: 8 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
}
const MAX_CONNECTIONS = 256
/** A handshake that does not end. */
const HANDSHAKE_MS = 10_000
/** Without progress in either direction. */
const STALL_MS = 60_000
const CLOSE_WITHIN_MS = 1_000

/** PEM texts. */
export interface AdminCertificate {
  readonly cert: string
  readonly key: string
  /** Of clients; null: they are not asked for certificates. */
  readonly ca: string | null
}

export interface Listening {
  /** With the actual port. */
  readonly address: Address
  /** Takes another certificate for connections that come later. */
  replace(certificate: AdminCertificate): void
  onError(react: (error: Error) => void): void
  /** Of the listening socket. */
  descriptor(): number
  /** Finishes requests in flight, for at most a second. */
  close(): Promise<void>
}

export interface ListeningOnSocket extends Pick<Listening, 'onError' | 'descriptor'> {
  /** Removes its file, unless another process goes on with the socket. */
  close(isPassedOn: boolean): Promise<void>
}

interface ListenOptions {
  /** Of a socket that listens there already; null: it opens one. */
  readonly fd?: number | null
  /** What sets the address, for messages. */
  readonly option?: string
}

/** Rejects with a one-line reason if it cannot listen. */
export async function listenAt(
  wanted: Address,
  certificate: AdminCertificate | null,
  handler: RequestListener,
  { fd = null, option = 'admin.address' }: ListenOptions = {},
): Promise<Listening> {
  const secure =
    certificate === null
      ? null
      : createTlsServer(
          { ...LIMITS, ...toTlsOptions(certificate), handshakeTimeout: HANDSHAKE_MS },
          handler,
        )
  const server = secure ?? createServer(LIMITS, handler)
  bound(server)
  const host = wanted.host === '' ? {} : { host: wanted.host }
  const where = fd === null ? { port: wanted.port, ...host } : { fd }
  const name = `${formatAddress(wanted)} (${option.replace(/\..*$/, '')})`
  await listening(server, name, where, option)
  const found = server.address()
  const port = typeof found === 'object' && found !== null ? found.port : wanted.port
  return {
    address: { host: wanted.host, port },
    replace: (next) => secure?.setSecureContext(toTlsOptions(next)),
    onError: (react) => void server.on('error', react),
    descriptor: () => descriptorOf(server),
    close: () => close(server),
  }
}

/** Its file belongs to the user of Sluice, and has the mode 0600. */
export async function listenOnSocket(
  path: string,
  handler: RequestListener,
  fd: number | null = null,
): Promise<ListeningOnSocket> {
  const server = createServer(LIMITS, handler)
  bound(server)
  if (fd === null) await bindSocket(server, path)
  else await listening(server, `${path} (admin.socket)`, { fd })
  const inode = inodeOf(path)
  return {
    onError: (react) => void server.on('error', react),
    descriptor: () => descriptorOf(server),
    close(isPassedOn) {
      // Another program may have taken the path since.
      if (!isPassedOn && inode !== null && inodeOf(path) === inode) rmSync(path, { force: true })
      return close(server)
    },
  }
}

/**
 * As it closes a socket, libuv removes the file that it was bound to, also if another process goes on with the socket. So it is
 * bound to another name, and then renamed.
 */
async function bindSocket(server: Server, path: string): Promise<void> {
  await removeLeftOver(path)
  const bound = join(dirname(path), `.${process.pid}`)
  rmSync(bound, { force: true })
  // Between listening and a chmod, others could connect. The file is made before listen returns.
  const before = process.umask(0o177)
  const isListening = listening(server, `${path} (admin.socket)`, { path: bound })
  process.umask(before)
  await isListening
  renameSync(bound, path)
}

function inodeOf(path: string): number | null {
  return lstatSync(path, { throwIfNoEntry: false })?.ino ?? null
}

function bound(server: Server | TlsServer): void {
  keepRoom(server, MAX_CONNECTIONS)
  server.timeout = STALL_MS
}

/** Certificates of clients are asked for and not required: endpoints decide what needs one. */
function toTlsOptions({ cert, key, ca }: AdminCertificate): object {
  const clients = ca === null ? {} : { ca, requestCert: true, rejectUnauthorized: false }
  return { cert, key, minVersion: 'TLSv1.2', ...clients }
}

/** Throws if a program serves it, or if it is no socket. */
async function removeLeftOver(path: string): Promise<void> {
  const state = await stateOfPath(path)
  if (state === 'free') return
  if (state === 'other') {
    throw new Error(`cannot listen on ${path} (admin.socket): there is a file that is no socket`)
  }
  if (state === 'served') {
    throw new Error(
      `cannot listen on ${path} (admin.socket): another program serves it; stop it, or set admin.socket to another path`,
    )
  }
  rmSync(path, { force: true })
}

function listening(
  server: Server | TlsServer,
  name: string,
  where:
    | { readonly port: number; readonly host?: string }
    | { readonly path: string }
    | { readonly fd: number },
  option = 'admin.socket',
): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException): void => {
      const why = (LISTEN_ERRORS[cause.code ?? ''] ?? cause.message).replace('OPTION', option)
      reject(new Error(`cannot listen on ${name}: ${why}`, { cause }))
    }
    server.once('error', fail)
    server.listen(where, () => {
      server.off('error', fail)
      resolve()
    })
  })
}

const LISTEN_ERRORS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use; stop what holds it, or set OPTION to another port',
  EACCES: 'this user may not; take a port above 1023, or grant the right to bind it',
  EADDRNOTAVAIL: 'this machine does not have the address; set OPTION to one that it has',
  ENOTFOUND: 'the name is not known; set OPTION to an address of this machine',
  ENOENT: 'its folder does not exist',
}

function close(server: Server | TlsServer): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), CLOSE_WITHIN_MS)
    server.close(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}
