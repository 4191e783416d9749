/**
 * The listeners of one thread. One that moves is bound at its new address first, and leaves the old one only then. One
 * that cannot be bound is a problem, goes on at its old address if it has one, and is tried again until it is bound,
 * declared otherwise or gone.
 */
import type { LiveListener, ListenerHandler } from '../downstream/live-listener.ts'
import { isEverywhere, plainHost } from '../model/ip.ts'
import { formatAddress } from '../model/address.ts'
import { quote } from '../model/parsed.ts'
import type { Address, Listener, Placed } from '../model/snapshot.ts'
import type { ListenerState } from '../observe/reports/listener-report.ts'

export interface LiveListenersOptions {
  readonly create: (placed: Placed<Listener>) => LiveListener
  readonly handlerFor: (listener: Listener) => ListenerHandler
  /** Two sockets of ours may be bound to one address. */
  readonly reusePort: boolean
  /** Another set of addresses is listened on. */
  readonly onMoved: () => void
  /** Those that wait were tried again. */
  readonly onTried: () => void
  /** A throw met a listener, which stays as it was. */
  readonly onFault: (error: unknown) => void
}

interface Waiting {
  readonly live: LiveListener
  problem: string
}

const RETRY_MS = 1_000

export class LiveListeners {
  readonly #options: LiveListenersOptions
  readonly #open = new Map<string, LiveListener>()
  /** Removed or moved away from, until their last connection has left. */
  readonly #leaving = new Set<LiveListener>()
  readonly #waiting = new Map<string, Waiting>()
  /** Changes and tries, one after another. */
  #turn: Promise<void> = Promise.resolve()
  /** What a throw kept from being opened or changed, by id. */
  readonly #faults = new Map<string, string>()
  #timer: NodeJS.Timeout | null = null
  /** ms since the epoch; null while nothing waits. */
  #nextTryAt: number | null = null
  #isClosing = false

  constructor(options: LiveListenersOptions) {
    this.#options = options
  }

  /** Resolves when all has been tried once; `problems` has what did not work. */
  change(upserts: readonly Placed<Listener>[], deletes: readonly string[]): Promise<void> {
    if (upserts.length + deletes.length === 0) return Promise.resolve()
    return this.#inTurn(() => this.#change(upserts, deletes))
  }

  async #change(upserts: readonly Placed<Listener>[], deletes: readonly string[]): Promise<void> {
    if (this.#isClosing) return
    for (const id of deletes) {
      this.#waiting.delete(id)
      this.#faults.delete(id)
      this.#leave(id)
    }
    for (const placed of upserts) this.#attempt(placed.object.id, () => this.#upsert(placed))
    await this.#bindWaiting()
    for (const { object } of upserts) {
      if (!this.#waiting.has(object.id)) continue
      this.#attempt(object.id, () => this.#updateOld(object))
    }
  }

  #upsert(placed: Placed<Listener>): void {
    const { object } = placed
    const live = this.#open.get(object.id)
    if (live?.fits(object) === true) {
      this.#waiting.delete(object.id)
      live.update(object, this.#options.handlerFor(object))
    } else this.#waiting.set(object.id, { live: this.#options.create(placed), problem: '' })
  }

  /** A throw concerns one listener alone. */
  #attempt(id: string, act: () => void): void {
    try {
      act()
      this.#faults.delete(id)
    } catch (error) {
      this.#faults.set(id, applyProblem(`listener "${id}"`, error))
      this.#options.onFault(error)
    }
  }

  /** All that the old live of one that could not move can take over of its new settings. */
  #updateOld(listener: Listener): void {
    const old = this.#open.get(listener.id)
    if (old?.scheme !== listener.protocol) return
    old.update({ ...listener, address: old.listener.address }, this.#options.handlerFor(listener))
  }

  async #bindWaiting(): Promise<void> {
    // Whoever moves may leave what another one waits for.
    for (let before = Infinity; this.#waiting.size < before && this.#waiting.size > 0;) {
      before = this.#waiting.size
      for (const [id, waiting] of [...this.#waiting]) await this.#bind(id, waiting)
    }
    if (!this.#options.reusePort) {
      for (const id of [...this.#waiting.keys()]) await this.#trade(this.#ringOf(id))
    }
    if (this.#waiting.size > 0 && !this.#isClosing) this.#tryLater()
  }

  async #bind(id: string, waiting: Waiting): Promise<void> {
    const { live } = waiting
    if (this.#isClosing) return
    try {
      await live.open()
    } catch (error) {
      waiting.problem = listenProblem(live.listener, error)
      return
    }
    this.#waiting.delete(id)
    this.#leave(id)
    this.#open.set(id, live)
    if (this.#isClosing) live.destroy()
    this.#options.onMoved()
  }

  /** Those that wait for each other's addresses, this one first: two that swap, or one alone that stands in its own way. */
  #ringOf(id: string): string[] {
    const ring: string[] = []
    for (let next: string | undefined = id; next !== undefined && !ring.includes(next);) {
      ring.push(next)
      const wanted: Address | undefined = this.#waiting.get(next)?.live.listener.address
      next = wanted === undefined ? undefined : this.#holderOf(wanted)
      if (next === id) return ring
    }
    return []
  }

  #holderOf(wanted: Address): string | undefined {
    for (const [id, { listener }] of this.#open) {
      if (this.#waiting.has(id) && overlap(listener.address, wanted)) return id
    }
    return undefined
  }

  /** Nobody can be bound first: all let go, for a moment. */
  async #trade(ring: readonly string[]): Promise<void> {
    for (const id of ring) this.#open.get(id)?.stopListening()
    for (const id of ring) {
      const waiting = this.#waiting.get(id)
      if (waiting !== undefined) await this.#bind(id, waiting)
    }
    for (const id of ring) if (this.#waiting.has(id)) await this.#goOn(id)
  }

  /** At the old address, which another one of the ring may have by now. */
  async #goOn(id: string): Promise<void> {
    try {
      await this.#open.get(id)?.open()
    } catch {
      this.#leave(id)
    }
  }

  #tryLater(): void {
    if (this.#timer !== null) return
    this.#nextTryAt = Date.now() + RETRY_MS
    this.#timer = setTimeout(() => {
      this.#timer = null
      void this.#inTurn(() => this.#tryAgain())
    }, RETRY_MS).unref()
  }

  async #tryAgain(): Promise<void> {
    await this.#bindWaiting()
    this.#options.onTried()
  }

  #inTurn(step: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(step)
    this.#turn = done.catch(() => {})
    return done
  }

  #leave(id: string): void {
    const live = this.#open.get(id)
    if (live === undefined) return
    this.#open.delete(id)
    this.#leaving.add(live)
    live.drain()
    for (const gone of this.#leaving) if (gone.connections === 0) this.#leaving.delete(gone)
    this.#options.onMoved()
  }

  /** Why listeners are not bound as declared, one line each. */
  problems(): string[] {
    const unbound = [...this.#waiting.values()].map(({ problem }) => problem)
    return [...unbound, ...this.#faults.values()]
  }

  /** All that are declared. */
  states(): ListenerState[] {
    const ids = new Set([...this.#open.keys(), ...this.#waiting.keys(), ...this.#faults.keys()])
    return Array.from(ids, (id): ListenerState => {
      const bound = this.#open.get(id)?.bound ?? null
      const reason = this.#waiting.get(id)?.problem ?? this.#faults.get(id) ?? null
      const at = bound === null ? null : formatAddress(bound)
      return { id, at, reason, nextTryAt: this.#waiting.has(id) ? this.#nextTryAt : null }
    })
  }

  /** Those that are bound, by id. */
  open(): ReadonlyMap<string, LiveListener> {
    return this.#open
  }

  /** Stops accepting; what is under way goes on. */
  drain(): void {
    this.#isClosing = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    for (const live of this.#all()) live.drain()
  }

  /** Client connections that are left. */
  get connections(): number {
    let sum = 0
    for (const live of this.#all()) sum += live.connections
    return sum
  }

  /** Ends whatever is left. */
  destroy(): void {
    this.drain()
    for (const live of this.#all()) live.destroy()
  }

  #all(): LiveListener[] {
    return [...this.#open.values(), ...this.#leaving]
  }
}

/** Whether the kernel takes the second for the first, where two sockets may not have the same. */
function overlap(a: Address, b: Address): boolean {
  if (a.port !== b.port) return false
  return plainHost(a.host) === plainHost(b.host) || isEverywhere(a.host) || isEverywhere(b.host)
}

export function listenProblem({ id, address }: Listener, error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  const where = `${address.host}:${address.port}`
  if (code === 'EADDRINUSE') {
    return `cannot listen on ${where} (listener "${id}"): the port is in use; stop the other program or choose another port`
  }
  if (code === 'EACCES') {
    return `cannot listen on ${where} (listener "${id}"): not permitted; use a port above 1023 or grant CAP_NET_BIND_SERVICE`
  }
  return `cannot listen on ${where} (listener "${id}"): ${error instanceof Error ? error.message : String(error)}`
}

/** An exception kept `name` from coming into force; what was in force stays. */
export function applyProblem(name: string, error: unknown): string {
  const why =
    error instanceof Error ? `${error.name}: ${quote(error.message)}` : quote(String(error))
  return `${name} cannot be applied, what was in force stays: a fault of the proxy met it, see the log (${why})`
}
