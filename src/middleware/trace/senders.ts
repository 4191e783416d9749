/**
 * Sends lines of traces from one serving thread: one sender for each destination, shared by its routes. A destination that does not
 * take lines costs lines and nothing else; a notice says so at most once a minute.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { connect, isIPv6, type Socket } from 'node:net'
import { hostname } from 'node:os'
import { addressOf } from '../../dns/dialing.ts'
import { openSink, type Sink } from '../../observe/sink.ts'
import type { Destination, SyslogForm } from './destination.ts'

export interface TraceSender {
  send(line: string): void
}

type OnNotice = (notice: string) => void

const MOST_WAITING_BYTES = 1024 * 1024
const MOST_WAITING_LINES = 1000
const RETRY_AFTER_MS = 1000
const NOTICE_EVERY_MS = 60_000
/** A sender that was not used for so long is closed. */
const IDLE_MS = 300_000

/** What a destination needs: it opens, takes messages, and fails. */
interface Wire {
  /** False: it takes none now. */
  write(message: string): boolean
  close(): void
}

type OpenWire = (onFailure: (reason: string) => void) => Wire

const senders = new Map<string, Sender>()
let sweeping: NodeJS.Timeout | null = null
let standardOutput: Sink | null = null

export function senderTo(destination: Destination, onNotice: OnNotice): TraceSender {
  if (destination.to === 'stdout')
    return {
      send(line) {
        standardOutput ??= openSink(null)
        standardOutput.write(`${line}\n`)
      },
    }
  const key = JSON.stringify(destination)
  return {
    send(line) {
      let sender = senders.get(key)
      if (sender === undefined) {
        sender = createSender(destination, onNotice)
        senders.set(key, sender)
        sweeping ??= setInterval(sweep, IDLE_MS).unref()
      }
      sender.send(line)
    },
  }
}

function createSender(
  destination: Exclude<Destination, { to: 'stdout' }>,
  onNotice: OnNotice,
): Sender {
  if (destination.to === 'udp') {
    const { host, port } = destination
    const name = `syslog at ${host}:${port}`
    return new Sender(
      name,
      (onFailure) => openUdp(host, port, onFailure),
      (line) => remoteMessage(destination, line),
      onNotice,
    )
  }
  const { path } = destination
  return new Sender(
    `syslog at ${path}`,
    (onFailure) => openStream(path, onFailure),
    (line) => localMessage(destination, line),
    onNotice,
  )
}

function sweep(): void {
  const now = performance.now()
  for (const [key, sender] of senders) {
    if (now - sender.usedAt < IDLE_MS) continue
    sender.close()
    senders.delete(key)
  }
  if (senders.size > 0 || sweeping === null) return
  clearInterval(sweeping)
  sweeping = null
}

class Sender {
  usedAt = 0
  readonly #name: string
  readonly #open: OpenWire
  readonly #toMessage: (line: string) => string
  readonly #onNotice: OnNotice
  #wire: Wire | null = null
  #retryAt = -Infinity
  #quietUntil = -Infinity

  constructor(
    name: string,
    open: OpenWire,
    toMessage: (line: string) => string,
    onNotice: OnNotice,
  ) {
    this.#name = name
    this.#open = open
    this.#toMessage = toMessage
    this.#onNotice = onNotice
  }

  send(line: string): void {
    this.usedAt = performance.now()
    if (this.#wire === null && this.usedAt < this.#retryAt) return
    this.#wire ??= this.#open((reason) => this.#fail(reason))
    if (!this.#wire.write(this.#toMessage(line))) this.#note('it does not take them fast enough')
  }

  close(): void {
    this.#wire?.close()
    this.#wire = null
  }

  #fail(reason: string): void {
    this.close()
    this.#retryAt = performance.now() + RETRY_AFTER_MS
    this.#note(reason)
  }

  #note(reason: string): void {
    const now = performance.now()
    if (now < this.#quietUntil) return
    this.#quietUntil = now + NOTICE_EVERY_MS
    this.#onNotice(`cannot send traces to ${this.#name}: ${reason}; traces are lost until it works`)
  }
}

/** Connected, so that a closed port is noticed; the name is then looked up again. */
function openUdp(host: string, port: number, onFailure: (reason: string) => void): Wire {
  let socket: UdpSocket | null = null
  let isConnected = false
  let isClosed = false
  const waiting: string[] = []
  const fail = (error: Error): void => {
    if (!isClosed) onFailure(error.message)
  }
  const open = (address: string): void => {
    if (isClosed) return
    const opened = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4' })
    socket = opened
    opened.on('error', fail)
    opened.unref()
    opened.connect(port, address, () => {
      if (isClosed) return
      isConnected = true
      for (const message of waiting.splice(0)) send(message)
    })
  }
  const send = (message: string): void =>
    socket?.send(message, (error) => {
      if (error !== null) fail(error)
    })
  addressOf(host).then(open, fail)
  return {
    write(message) {
      if (isConnected) {
        if ((socket?.getSendQueueSize() ?? 0) > MOST_WAITING_BYTES) return false
        send(message)
        return true
      }
      return waiting.length < MOST_WAITING_LINES && waiting.push(message) > 0
    },
    close() {
      if (isClosed) return
      isClosed = true
      socket?.close()
    },
  }
}

function openStream(path: string, onFailure: (reason: string) => void): Wire {
  const socket: Socket = connect({ path })
  let isClosed = false
  socket.unref()
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (isClosed) return
    const isDatagram = error.code === 'EPROTOTYPE'
    onFailure(
      isDatagram ? 'it is a socket of datagrams; use the UDP port of syslog' : error.message,
    )
  })
  socket.on('close', () => {
    if (!isClosed) onFailure('it closed the connection')
  })
  socket.resume()
  return {
    write(message) {
      if (socket.writableLength > MOST_WAITING_BYTES) return false
      socket.write(message)
      return true
    },
    close() {
      isClosed = true
      socket.destroy()
    },
  }
}

const HOST_NAME = hostname().replace(/[^!-~]/g, '')
/** The tag of vulcand's messages, to the letter. */
const TAG = `pid[${process.pid}]`

/** In the form of Go's log/syslog over a network. */
function remoteMessage({ priority, prefix }: SyslogForm, line: string): string {
  const time = `${new Date().toISOString().slice(0, 19)}Z`
  return `<${priority}>${time} ${HOST_NAME} ${TAG}: ${prefix}${line}\n`
}

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')

/** The same on this machine: RFC 3164 without the host. */
function localMessage({ priority, prefix }: SyslogForm, line: string): string {
  const iso = new Date().toISOString()
  const month = MONTHS[Number(iso.slice(5, 7)) - 1]
  const day = String(Number(iso.slice(8, 10))).padStart(2)
  return `<${priority}>${month} ${day} ${iso.slice(11, 19)} ${TAG}: ${prefix}${line}\n`
}
