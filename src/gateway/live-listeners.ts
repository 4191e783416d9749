/**
 * The listeners of one thread. A listener that moves is bound at its new address before it leaves the old one. One that cannot
 * be bound is a problem: it stays at its old address if it has one, and is retried until it is bound, changed or removed.
 */
import type { LiveListener, ListenerHandler } from '../downstream/live-listener.ts'
import { isEverywhere, plainHost } from '../model/ip.ts'
import { formatListenAddress } from '../model/address.ts'
import { messageOf } from '../model/error-message.ts'
import { isSocketAddress } from '../model/listener.ts'
import type { ListeningSocket } from '../model/listening-socket.ts'
import type { ListenAddress, Listener, PlacedListener } from '../model/snapshot.ts'
import { faultMessage } from '../observe/fault.ts'
import type { ListenerState } from '../observe/reports/listener-report.ts'

export interface LiveListenersOptions {
  readonly create: (placed: PlacedListener) => LiveListener
  readonly handlerFor: (placed: PlacedListener) => ListenerHandler
  /** SO_REUSEPORT: two sockets of this process may be bound to one address. */
  readonly reusePort: boolean
  /** Of all threads, and which of them this is: a unix socket has one, as it cannot be shared as a port is. */
  readonly threads: number
  readonly thread: number
  /** The set of bound addresses has changed. */
  readonly onMoved: () => void
  /** Unbound listeners were retried. */
  readonly onTried: () => void
  /** An exception concerned one listener, which stays as it was. */
  readonly onFault: (error: unknown) => void
}

interface Unbound {
  readonly live: LiveListener
  problem: string
}

const RETRY_MS = 1_000

export class LiveListeners {
  readonly #options: LiveListenersOptions
  readonly #open = new Map<string, LiveListener>()
  /** Removed, or at an old address, until their last connection is closed. */
  readonly #draining = new Set<LiveListener>()
  readonly #unbound = new Map<string, Unbound>()
  /** Changes and retries run one after another. */
  #queue: Promise<void> = Promise.resolve()
  /** Listeners that an exception kept from being opened or changed, by id, and why. */
  readonly #faults = new Map<string, string>()
  #timer: NodeJS.Timeout | null = null
  /** ms since the epoch; null while all are bound. */
  #nextTryAt: number | null = null
  #isClosing = false

  constructor(options: LiveListenersOptions) {
    this.#options = options
  }

  /** Resolves when each has been tried once; `problems` returns what did not work. */
  change(upserts: readonly PlacedListener[], deletes: readonly string[]): Promise<void> {
    if (upserts.length + deletes.length === 0) return Promise.resolve()
    return this.#enqueue(() => this.#change(upserts, deletes))
  }

  setTicketKeys(keys: Buffer): void {
    for (const live of this.#open.values()) live.setTicketKeys(keys)
    for (const { live } of this.#unbound.values()) live.setTicketKeys(keys)
  }

  async #change(upserts: readonly PlacedListener[], deletes: readonly string[]): Promise<void> {
    if (this.#isClosing) return
    const own = upserts.filter(({ object }) => this.#isOwn(object))
    const others = upserts.filter(({ object }) => !this.#isOwn(object))
    for (const id of [...deletes, ...others.map(({ object }) => object.id)]) {
      this.#unbound.delete(id)
      this.#faults.delete(id)
      this.#close(id)
    }
    for (const placed of own) this.#attempt(placed.object.id, () => this.#upsert(placed))
    await this.#bindUnbound()
    for (const placed of own) {
      const { id } = placed.object
      if (this.#unbound.has(id)) this.#attempt(id, () => this.#updateOld(placed))
    }
  }

  #isOwn({ id, address }: Listener): boolean {
    const { threads, thread } = this.#options
    if (threads === 1 || !isSocketAddress(address)) return true
    let sum = 0
    for (let at = 0; at < id.length; at++) sum += id.charCodeAt(at)
    return sum % threads === thread
  }

  #upsert(placed: PlacedListener): void {
    const { object } = placed
    const live = this.#open.get(object.id)
    if (live?.fits(object) === true) {
      this.#unbound.delete(object.id)
      live.update(object, this.#options.handlerFor(placed))
    } else this.#unbound.set(object.id, { live: this.#options.create(placed), problem: '' })
  }

  /** An exception affects one listener alone. */
  #attempt(id: string, act: () => void): void {
    try {
      act()
      this.#faults.delete(id)
    } catch (error) {
      this.#faults.set(id, applyProblem(`listener "${id}"`, error))
      this.#options.onFault(error)
    }
  }

  /** A listener that cannot move takes over all other new settings at its old address. */
  #updateOld(placed: PlacedListener): void {
    const listener = placed.object
    const old = this.#open.get(listener.id)
    if (old?.speaksAs(listener) !== true) return
    old.update({ ...listener, address: old.listener.address }, this.#options.handlerFor(placed))
  }

  async #bindUnbound(): Promise<void> {
    // A listener that moves may free the address that another one needs.
    for (let before = Infinity; this.#unbound.size < before && this.#unbound.size > 0;) {
      before = this.#unbound.size
      for (const [id, unbound] of [...this.#unbound]) await this.#bind(id, unbound)
    }
    for (const [id, { live }] of [...this.#unbound]) {
      const isShared = this.#options.reusePort && !isSocketAddress(live.listener.address)
      if (!isShared) await this.#swap(this.#ringOf(id))
    }
    if (this.#unbound.size > 0 && !this.#isClosing) this.#retryLater()
  }

  async #bind(id: string, unbound: Unbound): Promise<void> {
    const { live } = unbound
    if (this.#isClosing) return
    try {
      await live.open(this.#open.get(id) ?? null)
    } catch (error) {
      unbound.problem = listenProblem(live.listener, error)
      return
    }
    this.#unbound.delete(id)
    this.#close(id)
    this.#open.set(id, live)
    if (this.#isClosing) live.destroy()
    this.#options.onMoved()
  }

  /** Listeners that wait for each other's addresses, this one first: two that swap, or one that overlaps its old address. */
  #ringOf(id: string): string[] {
    const ring: string[] = []
    for (let next: string | undefined = id; next !== undefined && !ring.includes(next);) {
      ring.push(next)
      const wanted: ListenAddress | undefined = this.#unbound.get(next)?.live.listener.address
      next = wanted === undefined ? undefined : this.#holderOf(wanted)
      if (next === id) return ring
    }
    return []
  }

  #holderOf(wanted: ListenAddress): string | undefined {
    for (const [id, { listener }] of this.#open) {
      if (this.#unbound.has(id) && overlap(listener.address, wanted)) return id
    }
    return undefined
  }

  /** None can be bound first: all release their addresses for a moment. */
  async #swap(ring: readonly string[]): Promise<void> {
    for (const id of ring) this.#open.get(id)?.stopListening()
    for (const id of ring) {
      const unbound = this.#unbound.get(id)
      if (unbound !== undefined) await this.#bind(id, unbound)
    }
    for (const id of ring) if (this.#unbound.has(id)) await this.#reopenOld(id)
  }

  /** Listens at the old address again, unless another one of the ring has it by now. */
  async #reopenOld(id: string): Promise<void> {
    try {
      await this.#open.get(id)?.open()
    } catch {
      this.#close(id)
    }
  }

  #retryLater(): void {
    if (this.#timer !== null) return
    this.#nextTryAt = Date.now() + RETRY_MS
    this.#timer = setTimeout(() => {
      this.#timer = null
      void this.#enqueue(() => this.#retry())
    }, RETRY_MS).unref()
  }

  async #retry(): Promise<void> {
    await this.#bindUnbound()
    this.#options.onTried()
  }

  #enqueue(step: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(step)
    this.#queue = done.catch(() => {})
    return done
  }

  #close(id: string): void {
    const live = this.#open.get(id)
    if (live === undefined) return
    this.#open.delete(id)
    this.#draining.add(live)
    live.drain()
    for (const gone of this.#draining) if (gone.connections === 0) this.#draining.delete(gone)
    this.#options.onMoved()
  }

  /** Why listeners are not bound as declared, one line each. */
  problems(): string[] {
    const unbound = [...this.#unbound.values()].map(({ problem }) => problem)
    return [...unbound, ...this.#faults.values()]
  }

  /** All that are declared. */
  states(): ListenerState[] {
    const ids = new Set([...this.#open.keys(), ...this.#unbound.keys(), ...this.#faults.keys()])
    return Array.from(ids, (id): ListenerState => {
      const at = this.#open.get(id)?.at ?? null
      const reason = this.#unbound.get(id)?.problem ?? this.#faults.get(id) ?? null
      return { id, at, reason, nextTryAt: this.#unbound.has(id) ? this.#nextTryAt : null }
    })
  }

  /** Those that are bound, by id. */
  open(): ReadonlyMap<string, LiveListener> {
    return this.#open
  }

  /** All listening sockets, for a successor of this program. */
  sockets(): readonly ListeningSocket[] {
    return [...this.#open.values()].flatMap((live) => live.sockets())
  }

  /** Another process goes on with them: the files of unix sockets stay. */
  passOn(): void {
    for (const live of this.#open.values()) live.passOn()
  }

  /** Stops accepting; requests under way continue. */
  drain(): void {
    this.#isClosing = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    for (const live of this.#all()) live.drain()
  }

  /** Ends the exchanges in flight with DRAINED. */
  cut(): void {
    for (const live of this.#all()) live.cut()
  }

  /** Open client connections. */
  get connections(): number {
    let sum = 0
    for (const live of this.#all()) sum += live.connections
    return sum
  }

  /** Closes what is left. */
  destroy(): void {
    this.drain()
    for (const live of this.#all()) live.destroy()
  }

  #all(): LiveListener[] {
    return [...this.#open.values(), ...this.#draining]
  }
}

/** Whether two sockets cannot be bound to both addresses without SO_REUSEPORT. */
function overlap(a: ListenAddress, b: ListenAddress): boolean {
  if (isSocketAddress(a) || isSocketAddress(b))
    return isSocketAddress(a) && isSocketAddress(b) && a.path === b.path
  if (a.port !== b.port) return false
  return plainHost(a.host) === plainHost(b.host) || isEverywhere(a.host) || isEverywhere(b.host)
}

export function listenProblem({ id, address }: Listener, error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  if (isSocketAddress(address)) {
    const why = SOCKET_PROBLEMS[code ?? ''] ?? messageOf(error)
    return `cannot listen on ${formatListenAddress(address)} (listener "${id}"): ${why}`
  }
  const where = `${address.host}:${address.port}`
  if (code === 'EADDRINUSE') {
    return `cannot listen on ${where} (listener "${id}"): the port is in use; stop the other program or choose another port`
  }
  if (code === 'EACCES') {
    return `cannot listen on ${where} (listener "${id}"): not permitted; use a port above 1023 or grant CAP_NET_BIND_SERVICE`
  }
  return `cannot listen on ${where} (listener "${id}"): ${messageOf(error)}`
}

const SOCKET_PROBLEMS: Readonly<Record<string, string>> = {
  EACCES: 'this user may not write into its folder; let it, or choose another path',
  EROFS: 'its folder cannot be written; choose another path',
  EPERM: 'this user may not give the file that user or group; choose a group that it is in',
}

/** An exception kept `name` from coming into force; what was in force stays. */
export function applyProblem(name: string, error: unknown): string {
  return `${name} cannot be applied, what was in force stays: a fault of the proxy met it, see the log (${faultMessage(error)})`
}
