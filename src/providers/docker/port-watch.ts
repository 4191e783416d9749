/**
 * Which addresses accept TCP connections. A container runs before its program listens; one without a health check gets
 * requests when its port has accepted a first connection. After that its port is not watched any more: health checks of
 * the backend and failed requests tell.
 */
import { connect } from 'node:net'
import { addressOf } from '../../dns/dialing.ts'
import { bracketHost } from '../../model/address.ts'
import { messageOf } from '../../model/error-message.ts'

export interface WatchedAddress {
  readonly host: string
  readonly port: number
  /** A port of the engine's host: what accepts there may be Docker's proxy, which hangs up if nothing listens behind it. */
  readonly isPublished: boolean
}

export interface PortWatch {
  /** Connects to the addresses, again and again until each has accepted, instead of those that were watched for the container. */
  watch(id: string, addresses: readonly WatchedAddress[]): void
  look(id: string, host: string, port: number): Look
  /** It does not run any more, or again: everything of it is unknown. */
  forget(id: string): void
  /** Resolves when each address has been tried once, or after the time; false: all had been before. */
  tried(timeoutMs: number): Promise<boolean>
  close(): void
}

/** Whether it has accepted a connection; if not, why the last one failed, null before its end. */
export type Look =
  | 'open'
  | {
      readonly error: string | null
      /** It has been watched for longer than a start should take. */
      readonly isLate: boolean
    }

export interface PortWatchOptions {
  /** What `look` returns has changed. */
  readonly onChange: (id: string) => void
  /** Resolves with null if a connection was accepted, else with why not. */
  readonly connect?: (address: WatchedAddress) => Promise<string | null>
  /** performance.now(). */
  readonly now?: () => number
}

interface Watches {
  readonly addresses: readonly WatchedAddress[]
  readonly all: readonly Watched[]
}

interface Watched extends WatchedAddress {
  readonly id: string
  readonly since: number
  state: Look
  attempts: number
  timer: NodeJS.Timeout | null
  isDropped: boolean
}

const UNTRIED: Look = { error: null, isLate: false }
/** Attempts at the same time. */
const MAX_CONNECTING = 64
const CONNECT_TIMEOUT_MS = 1_000
const FIRST_DELAY_MS = 25
const MAX_DELAY_MS = 5_000
const GROWTH = 1.3
const LATE_MS = 10_000
/** How long an accepted connection must stay open to count if it may be Docker's proxy. */
const PROXY_MS = 30

export function createPortWatch(options: PortWatchOptions): PortWatch {
  const { onChange, connect: tryConnect = connectOnce, now = () => performance.now() } = options
  const containers = new Map<string, Watches>()
  /** New addresses first. */
  const waiting: Watched[] = []
  const untried = new Set<Watched>()
  let tellTried: (() => void)[] = []
  let connecting = 0

  function enqueue(one: Watched): void {
    if (one.isDropped) return
    if (one.attempts === 0) waiting.unshift(one)
    else waiting.push(one)
    advance()
  }

  function advance(): void {
    while (connecting < MAX_CONNECTING) {
      const next = waiting.shift()
      if (next === undefined) return
      if (next.isDropped) continue
      connecting += 1
      void attempt(next)
    }
  }

  async function attempt(one: Watched): Promise<void> {
    const error = await tryConnect(one)
    connecting -= 1
    one.attempts += 1
    markTried(one)
    if (!one.isDropped) settle(one, error)
    advance()
  }

  function settle(one: Watched, error: string | null): void {
    const before = one.state
    const isLate = now() - one.since >= LATE_MS
    one.state = error === null ? 'open' : { error, isLate }
    if (error !== null) {
      const delay = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * GROWTH ** one.attempts)
      one.timer = setTimeout(() => enqueue(one), delay).unref()
    }
    const isSame = before !== 'open' && before.error === error && before.isLate === isLate
    if (error === null || !isSame) onChange(one.id)
  }

  function markTried(one: Watched): void {
    untried.delete(one)
    if (untried.size > 0) return
    for (const tell of tellTried) tell()
    tellTried = []
  }

  function drop(one: Watched): void {
    one.isDropped = true
    if (one.timer !== null) clearTimeout(one.timer)
    markTried(one)
  }

  const find = (id: string, host: string, port: number): Watched | undefined =>
    containers.get(id)?.all.find((one) => one.host === host && one.port === port)

  return {
    watch(id, addresses) {
      const known = containers.get(id)
      // Usually: it is called at each list.
      if (known?.addresses === addresses) return
      const before = known?.all ?? []
      const all = addresses.map((address): Watched => {
        const same = find(id, address.host, address.port)
        if (same !== undefined) return same
        const fresh = { state: UNTRIED, attempts: 0, timer: null, isDropped: false }
        return { ...address, id, since: now(), ...fresh }
      })
      containers.set(id, { addresses, all })
      for (const one of before) if (!all.includes(one)) drop(one)
      for (const one of all) {
        if (before.includes(one)) continue
        untried.add(one)
        enqueue(one)
      }
    },
    look: (id, host, port) => find(id, host, port)?.state ?? UNTRIED,
    forget(id) {
      for (const one of containers.get(id)?.all ?? []) drop(one)
      containers.delete(id)
    },
    tried(timeoutMs) {
      if (untried.size === 0) return Promise.resolve(false)
      return new Promise((resolve) => {
        const timer = setTimeout(() => resolve(true), timeoutMs)
        tellTried.push(() => {
          clearTimeout(timer)
          resolve(true)
        })
      })
    },
    close() {
      for (const { all } of containers.values()) for (const one of all) drop(one)
      containers.clear()
    },
  }
}

async function connectOnce(address: WatchedAddress): Promise<string | null> {
  try {
    return await connectTo({ ...address, host: await addressOf(address.host) })
  } catch (error) {
    return messageOf(error)
  }
}

function connectTo({ host, port, isPublished }: WatchedAddress): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    let timer = setTimeout(() => finish('no connection in time'), CONNECT_TIMEOUT_MS)
    const finish = (error: string | null): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(error)
    }
    socket.once('connect', () => {
      if (!isPublished) return finish(null)
      clearTimeout(timer)
      timer = setTimeout(() => finish(null), PROXY_MS)
    })
    socket.once('end', () => finish('the connection was closed at once'))
    socket.on('error', (error: NodeJS.ErrnoException) => finish(describe(error, host, port)))
    // A socket that is not read does not see its end.
    socket.resume()
  })
}

function describe({ code, message }: NodeJS.ErrnoException, host: string, port: number): string {
  if (code === 'ECONNREFUSED') return 'connection refused'
  if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH') return 'there is no way there'
  return code ?? message.replace(`${bracketHost(host)}:${port}`, '').trim()
}
