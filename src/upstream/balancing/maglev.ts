/**
 * Maglev hashing (Eisenbud and others, NSDI 2016, section 3.4): a table with a prime number of cells, each assigned to a server.
 * Every server has its own order of preference over all cells, and servers take turns in claiming their next free one. So each
 * gets its share almost exactly, a lookup is one read, and removing a server leaves nearly all other cells as they were.
 *
 * The table depends on names and weights only, not on the order of declaration, the thread or the instance.
 */
import { smoothTurns } from './round-robin.ts'
import { hashString } from './string-hash.ts'

/**
 * A hundred cells per server make its share exact to a percent. There are only two sizes, because the step from one to the other
 * moves all keys. Above 65,537 servers some get no cell.
 */
const SMALL_TABLE_SERVERS = 40
const SMALL_TABLE_CELLS = 4_093
const LARGE_TABLE_CELLS = 65_537

export interface Named {
  readonly name: string
  readonly weight: number
}

/** The index of the server of each cell; empty if there are no servers. */
export function buildMaglev(servers: readonly Named[]): Uint16Array | Uint32Array {
  const size =
    servers.length === 0
      ? 0
      : servers.length > SMALL_TABLE_SERVERS
        ? LARGE_TABLE_CELLS
        : SMALL_TABLE_CELLS
  const cells = servers.length > 2 ** 16 ? new Uint32Array(size) : new Uint16Array(size)
  const order = servers.map((_, index) => index).sort((one, other) => compare(servers, one, other))
  // The next preferred cell of each server, and the step to the further ones. As the size is prime, each step visits all cells.
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

  // Every server has at least one cell, even beside much heavier ones.
  order.forEach(claim)
  const turns = smoothTurns(order.map((index) => servers[index]?.weight ?? 1))
  while (free > 0) for (const turn of turns) claim(order[turn] ?? 0)
  return cells
}

function compare(servers: readonly Named[], one: number, other: number): number {
  const [first = '', second = ''] = [servers[one]?.name, servers[other]?.name]
  return first < second ? -1 : first > second ? 1 : 0
}
