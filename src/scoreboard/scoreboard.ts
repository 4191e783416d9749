/**
 * Counters in memory that all threads share. The main thread owns the `Scoreboard`: it allocates slots, adds pages and reads sums. A
 * serving thread has a `ScoreboardView` of the same memory and writes its own column.
 *
 * The control plane allocates slot numbers and sends them inside a Delta, together with new pages. A freed slot is zeroed before it
 * is reused.
 */
import {
  ALARMS,
  COUNT,
  COUNTERS,
  GRPC_STATUSES,
  REASONS,
  SHARED,
  SHARED_CELLS,
  SLOTS_PER_PAGE,
  TABLE_CELLS_PER_KEY,
  TABLE_KEYS,
} from './layout.ts'

/** The memory of one page: structured-cloned as shared, not copied. */
export interface Page {
  readonly shared: SharedArrayBuffer
  readonly columns: SharedArrayBuffer
}

/** Memory that is added with objects: pages of slots, in order, and tables of keys. */
export interface AddedMemory {
  readonly pages: readonly Page[]
  readonly tables: readonly { readonly number: number; readonly memory: SharedArrayBuffer }[]
  /** The numbers of all existing tables if some were removed; else null. */
  readonly kept: readonly number[] | null
}

/** How much was ever added, and how many tables were removed. */
export interface BoardSize {
  readonly pages: number
  readonly tables: number
  readonly tablesGone: number
}

/** What a serving thread needs to open its view. */
export interface ScoreboardMemory extends AddedMemory {
  /** Time 0 of the board's clock, see board-clock.ts. */
  readonly beganAt: number
  readonly reasons: SharedArrayBuffer
  readonly grpcStatuses: SharedArrayBuffer
  /** ALARMS cells, Int32. */
  readonly alarms: SharedArrayBuffer
}

const COLUMN_CELLS = SLOTS_PER_PAGE * COUNTERS

/**
 * One object's cells as one thread sees them:
 * `Atomics.add(slot.shared, slot.at + SHARED.inFlight, 1)`, `slot.counts[slot.base + COUNT.retries] += 1`.
 */
export interface Slot {
  readonly number: number
  readonly shared: Int32Array
  readonly at: number
  readonly counts: Float64Array
  readonly base: number
}

/** Adds to one of this thread's counters, see COUNT. */
export function count(slot: Slot, counter: number, by: number): void {
  const cell = slot.base + counter
  slot.counts[cell] = (slot.counts[cell] ?? 0) + by
}

/** Adds to a cell that all threads share, see SHARED; returns its value before. */
export function sharedAdd(slot: Slot, cell: number, by: number): number {
  return Atomics.add(slot.shared, slot.at + cell, by)
}

export function sharedLoad(slot: Slot, cell: number): number {
  return Atomics.load(slot.shared, slot.at + cell)
}

/** A counter's sum over all threads, see COUNT. Reads every thread's column, so it is not for the hot path. */
export function sumOverThreads({ counts, base }: Slot, counter: number): number {
  let total = 0
  for (let cell = base % COLUMN_CELLS; cell < counts.length; cell += COLUMN_CELLS)
    total += counts[cell + counter] ?? 0
  return total
}

interface OpenPage {
  readonly shared: Int32Array
  readonly counts: Float64Array
}

function openPage(page: Page): OpenPage {
  const { shared, columns } = page
  // With an explicit length, because length-tracking views are slower.
  return {
    shared: new Int32Array(shared, 0, shared.byteLength / 4),
    counts: new Float64Array(columns, 0, columns.byteLength / 8),
  }
}

function slotOf(pages: readonly OpenPage[], number: number, thread: number): Slot {
  const page = pages[Math.floor(number / SLOTS_PER_PAGE)]
  if (page === undefined)
    throw new Error(`slot ${number} lies in a scoreboard page that is not here`)
  const index = number % SLOTS_PER_PAGE
  return {
    number,
    shared: page.shared,
    at: index * SHARED_CELLS,
    counts: page.counts,
    base: thread * COLUMN_CELLS + index * COUNTERS,
  }
}

/** A serving thread's side. */
export class ScoreboardView {
  readonly thread: number
  readonly beganAt: number
  /** This thread's counts of local responses by reason number. */
  readonly reasons: Float64Array
  /** This thread's counts of gRPC calls that ended, by status. */
  readonly grpcStatuses: Float64Array
  readonly #alarms: Int32Array
  readonly #pages: OpenPage[] = []
  readonly #tables = new Map<number, BigInt64Array>()

  constructor(memory: ScoreboardMemory, thread: number) {
    this.thread = thread
    this.#alarms = new Int32Array(memory.alarms)
    this.beganAt = memory.beganAt
    this.reasons = new Float64Array(memory.reasons, thread * REASONS * 8, REASONS)
    const statuses = thread * GRPC_STATUSES * 8
    this.grpcStatuses = new Float64Array(memory.grpcStatuses, statuses, GRPC_STATUSES)
    this.add(memory)
  }

  add({ pages, tables, kept }: AddedMemory): void {
    for (const page of pages) this.#pages.push(openPage(page))
    for (const { number, memory } of tables) this.#tables.set(number, openTable(memory))
    if (kept === null) return
    const here = new Set(kept)
    for (const number of this.#tables.keys()) if (!here.has(number)) this.#tables.delete(number)
  }

  slot(number: number): Slot {
    return slotOf(this.#pages, number, this.thread)
  }

  /**
   * A server has failed or responded with 5xx. The control plane reads only the counters of servers with an alarm: reading 30,000
   * servers ten times a second would take a fifth of a core.
   */
  raiseAlarm(server: Slot): void {
    Atomics.add(this.#alarms, alarmOf(server.number), 1)
  }

  /** The cells of a table of keys, the same for all threads. */
  table(number: number): BigInt64Array {
    const table = this.#tables.get(number)
    if (table === undefined) throw new Error(`table ${number} of the scoreboard is not here`)
    return table
  }
}

/** The main thread's side. `threads` is fixed at start: the number of columns. */
export class Scoreboard {
  readonly threads: number
  readonly beganAt: number
  readonly #reasons: SharedArrayBuffer
  readonly #grpcStatuses: SharedArrayBuffer
  readonly #alarms = new SharedArrayBuffer(ALARMS * 4)
  readonly #pages: Page[] = []
  readonly #open: OpenPage[] = []
  readonly #free: number[] = []
  readonly #tables = new Map<number, SharedArrayBuffer>()
  #nextTable = 0
  #tablesGone = 0
  #next = 0

  constructor(threads: number, beganAt: number) {
    this.threads = threads
    this.beganAt = beganAt
    this.#reasons = new SharedArrayBuffer(threads * REASONS * 8)
    this.#grpcStatuses = new SharedArrayBuffer(threads * GRPC_STATUSES * 8)
  }

  /** All memory so far, for a thread that starts. */
  memory(): ScoreboardMemory {
    return {
      beganAt: this.beganAt,
      reasons: this.#reasons,
      grpcStatuses: this.#grpcStatuses,
      alarms: this.#alarms,
      ...this.addedSince({ pages: 0, tables: 0, tablesGone: 0 }),
    }
  }

  /** What was added since, for threads that have all before. */
  addedSince(held: BoardSize): AddedMemory {
    const tables = [...this.#tables].flatMap(([number, memory]) =>
      number < held.tables ? [] : { number, memory },
    )
    const kept = held.tablesGone === this.#tablesGone ? null : [...this.#tables.keys()]
    return { pages: this.#pages.slice(held.pages), tables, kept }
  }

  get size(): BoardSize {
    return {
      pages: this.#pages.length,
      tables: this.#nextTable,
      tablesGone: this.#tablesGone,
    }
  }

  allocate(): number {
    const freed = this.#free.pop()
    if (freed !== undefined) return freed
    if (this.#next === this.#pages.length * SLOTS_PER_PAGE) this.#addPage()
    return this.#next++
  }

  /** Frees a slot. The caller must make sure that no thread can write to it any more. */
  release(number: number): void {
    const slot = slotOf(this.#open, number, 0)
    slot.shared.fill(0, slot.at, slot.at + SHARED_CELLS)
    for (let thread = 0; thread < this.threads; thread++) {
      const base = slot.base + thread * COLUMN_CELLS
      slot.counts.fill(0, base, base + COUNTERS)
    }
    this.#free.push(number)
  }

  /** A table of keys, all cells 0. Numbers are not reused: clearing a megabyte would cost more than new memory. */
  allocateTable(): number {
    const number = this.#nextTable++
    this.#tables.set(number, untouchedMemory(TABLE_KEYS * TABLE_CELLS_PER_KEY * 8))
    return number
  }

  /** As `release`. The memory is freed when the threads have dropped the table, too. */
  releaseTable(number: number): void {
    if (this.#tables.delete(number)) this.#tablesGone++
  }

  /** A slot as a serving thread has it, for the control plane to write shared cells. */
  slot(number: number): Slot {
    return slotOf(this.#open, number, 0)
  }

  /** A shared cell of a slot, see SHARED. */
  shared(number: number, cell: number): number {
    const slot = slotOf(this.#open, number, 0)
    return Atomics.load(slot.shared, slot.at + cell)
  }

  /** A counter of a slot summed over all threads, see COUNT. */
  sum(number: number, counter: number): number {
    return this.sumOf(slotOf(this.#open, number, 0), counter)
  }

  /** The same, of a slot from `slot`. */
  sumOf(slot: Slot, counter: number): number {
    return sumOverThreads(slot, counter)
  }

  /** Exchanges of an object that are under way, over all threads. */
  underWay(number: number): number {
    return this.shared(number, SHARED.inFlight) + this.sum(number, COUNT.underWay)
  }

  /** How often each alarm was raised, see `ScoreboardView.raiseAlarm` and `alarmOf`. Wraps. */
  alarms(): Int32Array {
    return new Int32Array(this.#alarms)
  }

  /** Local responses with this reason number, over all threads. */
  reason(number: number): number {
    return this.#total(this.#reasons, REASONS, number)
  }

  /** gRPC calls that ended with this status, over all threads. */
  grpcStatus(status: number): number {
    return this.#total(this.#grpcStatuses, GRPC_STATUSES, status)
  }

  #total(memory: SharedArrayBuffer, cellsPerThread: number, cell: number): number {
    const cells = new Float64Array(memory)
    let total = 0
    for (let thread = 0; thread < this.threads; thread++)
      total += cells[thread * cellsPerThread + cell] ?? 0
    return total
  }

  /** A thread died: subtracts its part of the shared in-flight and connection counts. */
  forgetThread(thread: number): void {
    for (let number = 0; number < this.#next; number++) {
      const slot = slotOf(this.#open, number, thread)
      for (const [cell, counter] of [
        [SHARED.inFlight, COUNT.inFlight],
        [SHARED.connections, COUNT.connections],
      ] as const) {
        const held = slot.counts[slot.base + counter] ?? 0
        if (held === 0) continue
        Atomics.sub(slot.shared, slot.at + cell, held)
        slot.counts[slot.base + counter] = 0
      }
      slot.counts[slot.base + COUNT.underWay] = 0
    }
  }

  #addPage(): void {
    const page: Page = {
      shared: untouchedMemory(SLOTS_PER_PAGE * SHARED_CELLS * 4),
      columns: untouchedMemory(this.threads * COLUMN_CELLS * 8),
    }
    this.#pages.push(page)
    this.#open.push(openPage(page))
  }
}

/** The alarm of a server's slot, which several slots share. */
export function alarmOf(slot: number): number {
  return slot % ALARMS
}

function openTable(table: SharedArrayBuffer): BigInt64Array {
  return new BigInt64Array(table, 0, table.byteLength / 8)
}

/**
 * Growable buffers are mapped by the kernel, so that pages nothing writes to cost nothing; this one never grows. Other buffers come
 * from malloc, which clears reused memory: 50 MB for 100,000 routes in a process that has read a large file.
 */
function untouchedMemory(bytes: number): SharedArrayBuffer {
  return new SharedArrayBuffer(bytes, { maxByteLength: bytes })
}
