/**
 * Requests of a connection to a server, which begin at the end of the read that brought their heads. A turn of the event loop begins a few
 * of a connection, and fewer if they take long: others get their turn between them, and those that are reset meanwhile never begin
 * (CVE-2023-44487). A connection that leaves many open, and has not taken responses before, begins further ones at a pace.
 */
import type { LinkOptions } from './link-options.ts'
import { ClientReadEnds, endRead, type ReadEnds } from './read-ends.ts'
import type { Http2Stream } from './stream.ts'

/**
 * Of all connections: then each begins one more in this turn. A request costs some 20 us, and 200 us on a new connection to its server,
 * so four clients that leave a hundred requests open each would hold all others for 80 ms.
 */
const TURN_MS = 1
/** Of a connection, before the pace: what a page asks for. Each request that ends lets one more be open for good. */
const OPEN_AT_ONCE = 32
/** Of all connections of the thread that have more open. */
const PACED_EACH_MS = 2
const MOST_PACED_AT_ONCE = 4
const PAUSE_MS = 1

/** What the connections of a thread share: a turn's time for beginning requests, and the pace. */
export class BeginTurn {
  readonly #now: () => number
  #endsAt = Infinity
  #paced = MOST_PACED_AT_ONCE
  #pacedAt = 0

  constructor(now: () => number) {
    this.#now = now
  }

  /** Something is about to begin. */
  enter(): void {
    if (this.#endsAt !== Infinity) return
    this.#endsAt = this.#now() + TURN_MS
    setImmediate(leave, this)
  }

  get isOver(): boolean {
    return this.#now() >= this.#endsAt
  }

  leave(): void {
    this.#endsAt = Infinity
  }

  /** False: the pace lets no request begin now. */
  takePaced(): boolean {
    const now = this.#now()
    const earned = (now - this.#pacedAt) * PACED_EACH_MS
    this.#paced = Math.min(MOST_PACED_AT_ONCE, this.#paced + earned)
    this.#pacedAt = now
    if (this.#paced < 1) return false
    this.#paced--
    return true
  }
}

function leave(turn: BeginTurn): void {
  turn.leave()
}

/** Of this thread. */
const thread = new BeginTurn(() => performance.now())

export class BeginQueue implements ReadEnds {
  readonly #most: number
  readonly #turn: BeginTurn
  #waiting: Http2Stream[] = []
  #highestId = 0
  /** Requests that may begin before the pace. */
  #room = OPEN_AT_ONCE
  #isScheduled = false

  /** `most`: in a turn. */
  constructor(most: number, turn: BeginTurn = thread) {
    this.#most = most
    this.#turn = turn
  }

  /** What follows the head of a request that waits does not count. */
  touch(stream: Http2Stream): void {
    if (stream.id <= this.#highestId) return
    this.#highestId = stream.id
    this.#waiting.push(stream)
  }

  end(): void {
    if (this.#waiting.length === 0 || this.#isScheduled) return
    const waiting = this.#waiting
    if (waiting.length > 1 || this.#room <= 0) this.#turn.enter()
    const most = Math.min(waiting.length, this.#most)
    let begun = 0
    let isPaced = false
    do {
      isPaced = this.#room <= 0 && !this.#turn.takePaced()
      if (isPaced) break
      this.#room--
      const stream = waiting[begun++]
      if (stream !== undefined) endRead(stream)
    } while (begun < most && !this.#turn.isOver)
    this.#waiting = waiting.slice(begun)
    if (this.#waiting.length === 0) return
    this.#isScheduled = true
    if (isPaced) setTimeout(goOn, PAUSE_MS, this)
    else setImmediate(goOn, this)
  }

  closed(): void {
    this.#room += 2
  }

  /** Those that were reset take no place in the next turn. */
  goOn(): void {
    this.#isScheduled = false
    this.#waiting = this.#waiting.filter(({ isReset }) => !isReset)
    this.end()
  }
}

function goOn(queue: BeginQueue): void {
  queue.goOn()
}

export function createReadEnds({ role, begunAtOnce }: LinkOptions): ReadEnds {
  return role === 'server' ? new BeginQueue(begunAtOnce) : new ClientReadEnds()
}
