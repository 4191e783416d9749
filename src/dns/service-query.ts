/**
 * Asks DNS servers for the SRV records of a name: over UDP, and over TCP if the response is too long for that. The sockets are on
 * the event loop, and the servers are given by their addresses, so that nothing here uses libuv's threads.
 */
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'
import { splitHostPort } from '../model/address.ts'
import { NO_NAME, REFUSALS, SILENT, UNREACHABLE, UNREADABLE } from './answer.ts'
import { readServiceResponse, writeServiceQuery, type ServiceResponse } from './message.ts'

export type ServiceAnswer =
  | { readonly kind: 'found'; readonly response: ServiceResponse }
  /** An authoritative response: there is no such record. */
  | { readonly kind: 'none'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string }

export interface ServiceQueryOptions {
  /** `10.0.0.2:53`, `[fd00::1]:53`, in the order in which they are asked. */
  readonly servers: () => readonly string[]
  /** Of one query to one server. */
  readonly timeoutMs: number
  /** Of one query, over all servers. */
  readonly attempts: number
}

/** Never rejects. */
export type QueryServices = (name: string, signal: AbortSignal) => Promise<ServiceAnswer>

const NO_RECORD = 'the name has no SRV record'
const DNS_PORT = 53
const CODES: ReadonlyMap<number, string> = new Map([
  [1, REFUSALS.FORMERR],
  [2, REFUSALS.SERVFAIL],
  [4, REFUSALS.NOTIMP],
  [5, REFUSALS.REFUSED],
])

export function createServiceQuery(options: ServiceQueryOptions): QueryServices {
  const { servers, timeoutMs, attempts } = options

  return async (name, signal) => {
    let failure: ServiceAnswer = { kind: 'failed', reason: UNREACHABLE }
    for (let attempt = 0; attempt < attempts; attempt++) {
      for (const server of servers()) {
        if (signal.aborted) return failure
        const answer = await askServer(name, server, timeoutMs, signal)
        if (answer.kind !== 'failed') return answer
        failure = answer
      }
    }
    return failure
  }
}

async function askServer(
  name: string,
  server: string,
  timeoutMs: number,
  stop: AbortSignal,
): Promise<ServiceAnswer> {
  const signal = AbortSignal.any([stop, AbortSignal.timeout(timeoutMs)])
  const split = splitHostPort(server)
  const place = {
    host: split?.host.replace(/^\[|\]$/g, '') ?? server,
    port: split?.port ?? DNS_PORT,
  }
  try {
    const datagram = await askByUdp(name, place, signal)
    const response = datagram.isTruncated ? await askByTcp(name, place, signal) : datagram
    return answerOf(response)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const reason = signal.aborted ? SILENT : code === UNREADABLE_CODE ? UNREADABLE : UNREACHABLE
    return { kind: 'failed', reason }
  }
}

function answerOf(response: ServiceResponse): ServiceAnswer {
  const { code, services } = response
  if (code === 3) return { kind: 'none', reason: NO_NAME }
  if (code !== 0) {
    return {
      kind: 'failed',
      reason: CODES.get(code) ?? `the DNS server responded with code ${code}`,
    }
  }
  if (services.length === 0) return { kind: 'none', reason: NO_RECORD }
  return { kind: 'found', response }
}

interface Place {
  readonly host: string
  readonly port: number
}

/** Rejects when the signal aborts or the server cannot be reached. Datagrams that do not belong to the query are ignored. */
function askByUdp(
  name: string,
  { host, port }: Place,
  signal: AbortSignal,
): Promise<ServiceResponse> {
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
      const response = readServiceResponse(message)
      if (response?.id === id && response.name === name) finish(() => resolve(response))
    })
    socket.connect(port, host, () => {
      if (!isOver) socket.send(writeServiceQuery(id, name))
    })
    if (signal.aborted) abort()
  })
}

const UNREADABLE_CODE = 'EBADRESP'

/** RFC 7766: the same query, each message after its length. */
function askByTcp(
  name: string,
  { host, port }: Place,
  signal: AbortSignal,
): Promise<ServiceResponse> {
  const id = randomInt(0x1_0000)
  const query = writeServiceQuery(id, name)
  const length = Buffer.alloc(2)
  length.writeUInt16BE(query.length)
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal })
    let received = Buffer.alloc(0)
    socket.once('error', reject)
    socket.once('close', () => reject(unreadable()))
    socket.on('data', (piece: Buffer) => {
      received = Buffer.concat([received, piece])
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return
      const response = readServiceResponse(received.subarray(2, 2 + received.readUInt16BE(0)))
      if (response?.id === id && response.name === name && !response.isTruncated) resolve(response)
      else reject(unreadable())
      socket.destroy()
    })
    socket.write(Buffer.concat([length, query]))
  })
}

function unreadable(): Error {
  return Object.assign(new Error(UNREADABLE), { code: UNREADABLE_CODE })
}
