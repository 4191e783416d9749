/**
 * Maglev hashing (Eisenbud and others, NSDI 2016, section 3.4): a table of a prime number of cells, each with a server. Every server
 * has its own order of preference over all cells, and they take turns in claiming the next that is free. So each gets its
 * share almost exactly, a look-up is one read, and a server that goes leaves nearly all others' cells as they were.
 *
 * The table depends on names and weights only: not on the order of declaration, not on the thread or instance.
 */
import { smoothTurns } from './round-robin.ts'
import { hashString } from './string-hash.ts'

/**
 * A hundred cells a server make its share exact to a percent. There are two sizes and no more, because the step from one to the
 * other moves all keys. Above 65,537 servers some get no cell.
 */
const FEW_SERVERS = 40
const SMALL = 4_093
const LARGE = 65_537

export interface Named {
  readonly name: string
  readonly weight: number
}

/** Which of them each cell belongs to, as indexes; no cells when there are none. */
export function buildMaglev(servers: readonly Named[]): Uint16Array | Uint32Array {
  const size = servers.length === 0 ? 0 : servers.length > FEW_SERVERS ? LARGE : SMALL
  const cells = servers.length > 2 ** 16 ? new Uint32Array(size) : new Uint16Array(size)
  const order = servers.map((_, index) => index).sort((one, other) => compare(servers, one, other))
  // What each prefers next, and how far on its further preferences lie. Steps of any length meet all cells: a prime number.
  const next = Uint32Array.from(servers, ({ name }) => hashString(name, 1) % size)
  const steps = Uint32Array.from(servers, ({ name }) => (hashString(name, 2) % (size - 1)) + 1)
  const isTaken = new Uint8Array(size)
  let free = size

  function claim(index: number): void {
    if (free === 0) return
    let cell = next[index] ?? 0
    const step = steps[index] ?? 1
    while (isTaken[cell] === 1) {
      cell += step
      if (cell >= size) cell -= size
    }
    cells[cell] = index
    isTaken[cell] = 1
    next[index] = cell
    free--
  }

  // Everyone has a cell, whatever the others weigh.
  order.forEach(claim)
  const turns = smoothTurns(order.map((index) => servers[index]?.weight ?? 1))
  while (free > 0) for (const turn of turns) claim(order[turn] ?? 0)
  return cells
}

function compare(servers: readonly Named[], one: number, other: number): number {
  const [first = '', second = ''] = [servers[one]?.name, servers[other]?.name]
  return first < second ? -1 : first > second ? 1 : 0
}
