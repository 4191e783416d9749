/**
 * A client of DNS servers for sources. It asks over TCP, and over UDP if the server does not take TCP connections: a server may
 * shorten a response over UDP without saying so, as Consul does by default, and each response would have other servers then.
 * The sockets are on the event loop, and the servers are given by their addresses, so that nothing here uses libuv's threads.
 */
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'
import { splitHostPort } from '../model/address.ts'
import { NO_DATA, NO_NAME, REFUSALS, SILENT, UNREACHABLE, UNREADABLE } from './answer.ts'
import { readResponse, writeQuery, type QueryType, type Response } from './message.ts'

export type ClientAnswer =
  | { readonly kind: 'found'; readonly response: Response }
  /** An authoritative response: there is no such record. */
  | { readonly kind: 'none'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string }

export interface DnsClientOptions {
  /** `10.0.0.2:53`, `[fd00::1]:53`, in the order in which they are asked. */
  readonly servers: () => readonly string[]
  /** Of one query to one server. */
  readonly timeoutMs: number
  /** Of one query, over all servers. */
  readonly attempts: number
}

/** The name is complete, in lower case, without the dot at its end. Never rejects. */
export type AskDns = (name: string, type: QueryType, signal: AbortSignal) => Promise<ClientAnswer>

const NO_SERVICE = 'the name has no SRV record'
const DNS_PORT = 53
/** A server that took no TCP connection is asked over UDP for this time. */
const UDP_ONLY_MS = 60_000
const CODES: ReadonlyMap<number, string> = new Map([
  [1, REFUSALS.FORMERR],
  [2, REFUSALS.SERVFAIL],
  [4, REFUSALS.NOTIMP],
  [5, REFUSALS.REFUSED],
])

interface Query {
  readonly name: string
  readonly type: QueryType
  readonly host: string
  readonly port: number
  readonly signal: AbortSignal
}

export function createDnsClient({ servers, timeoutMs, attempts }: DnsClientOptions): AskDns {
  /** By server: until when, of performance.now(). */
  const udpOnly = new Map<string, number>()

  async function askServer(
    name: string,
    type: QueryType,
    server: string,
    stop: AbortSignal,
  ): Promise<ClientAnswer> {
    const split = splitHostPort(server)
    const host = split?.host.replace(/^\[|\]$/g, '') ?? server
    const query = (): Query => ({
      ...{ name, type, host, port: split?.port ?? DNS_PORT },
      signal: AbortSignal.any([stop, AbortSignal.timeout(timeoutMs)]),
    })
    try {
      const isUdpOnly = performance.now() < (udpOnly.get(server) ?? 0)
      const response = isUdpOnly ? null : await askByTcp(query())
      if (response !== null) return answerOf(response)
      const shorter = await askByUdp(query())
      // Not before: a server that is being started again takes TCP connections soon.
      if (!isUdpOnly) udpOnly.set(server, performance.now() + UDP_ONLY_MS)
      if (!shorter.isTruncated) return answerOf(shorter)
      return { kind: 'failed', reason: 'the response is too long for UDP, and TCP is refused' }
    } catch (error) {
      return { kind: 'failed', reason: reasonOf(error) }
    }
  }

  return async (name, type, signal) => {
    let failure: ClientAnswer = { kind: 'failed', reason: UNREACHABLE }
    for (let attempt = 0; attempt < attempts; attempt++) {
      for (const server of servers()) {
        if (signal.aborted) return failure
        const answer = await askServer(name, type, server, signal)
        if (answer.kind !== 'failed') return answer
        failure = answer
      }
    }
    return failure
  }
}

function reasonOf(error: unknown): string {
  const { name = '', code } = error as NodeJS.ErrnoException
  if (name === 'TimeoutError' || name === 'AbortError') return SILENT
  return code === UNREADABLE_CODE ? UNREADABLE : UNREACHABLE
}

function answerOf({ code, ...response }: Response): ClientAnswer {
  if (code === 3) return { kind: 'none', reason: NO_NAME }
  if (code !== 0) {
    const reason = CODES.get(code) ?? `the DNS server responded with code ${code}`
    return { kind: 'failed', reason }
  }
  if (response.ttl === null) {
    return { kind: 'none', reason: response.type === 'SRV' ? NO_SERVICE : NO_DATA }
  }
  return { kind: 'found', response: { ...response, code } }
}

/** Rejects when the signal aborts or the server cannot be reached. Datagrams that do not belong to the query are ignored. */
function askByUdp({ name, type, host, port, signal }: Query): Promise<Response> {
  const id = randomInt(0x1_0000)
  return new Promise((resolve, reject) => {
    // A port of its own for each query: together with the id it keeps others from answering.
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
    let isOver = false
    const finish = (settle: () => void): void => {
      if (isOver) return
      isOver = true
      signal.removeEventListener('abort', abort)
      socket.close()
      settle()
    }
    const abort = (): void => finish(() => reject(signal.reason as Error))
    signal.addEventListener('abort', abort)
    socket.on('error', (error) => finish(() => reject(error)))
    socket.on('message', (message) => {
      const response = readResponse(message)
      if (response !== null && isOf(response, id, name, type)) finish(() => resolve(response))
    })
    socket.connect(port, host, () => {
      if (!isOver) socket.send(writeQuery(id, name, type))
    })
    if (signal.aborted) abort()
  })
}

const UNREADABLE_CODE = 'EBADRESP'

/** RFC 7766: the same query, each message after its length. Null: there is no connection. */
function askByTcp({ name, type, host, port, signal }: Query): Promise<Response | null> {
  const id = randomInt(0x1_0000)
  const query = writeQuery(id, name, type)
  const length = Buffer.alloc(2)
  length.writeUInt16BE(query.length)
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port })
    let isConnected = false
    let received = Buffer.alloc(0)
    const end = (error: Error): void => {
      signal.removeEventListener('abort', abort)
      socket.destroy()
      if (isConnected) reject(error)
      else resolve(null)
    }
    const abort = (): void => end(signal.reason as Error)
    signal.addEventListener('abort', abort)
    socket.once('connect', () => (isConnected = true))
    socket.on('error', end)
    socket.once('close', () => end(unreadable()))
    socket.on('data', (piece: Buffer) => {
      received = Buffer.concat([received, piece])
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return
      const response = readResponse(received.subarray(2, 2 + received.readUInt16BE(0)))
      const isGood = response !== null && isOf(response, id, name, type) && !response.isTruncated
      if (isGood) resolve(response)
      end(unreadable())
    })
    socket.write(Buffer.concat([length, query]))
    if (signal.aborted) abort()
  })
}

function isOf(response: Response, id: number, name: string, type: QueryType): boolean {
  return response.id === id && response.name === name && response.type === type
}

function unreadable(): Error {
  return Object.assign(new Error(UNREADABLE), { code: UNREADABLE_CODE })
}
