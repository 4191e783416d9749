/**
 * Streams that got something in a read of the socket, and want to know its end. To a server that is when requests begin. A turn of the
 * event loop begins a few of a connection, and fewer if they take long: others get their turn between them, and those that are reset
 * meanwhile never begin (CVE-2023-44487).
 */
import type { Http2Stream } from './stream.ts'

/**
 * Of all connections: then each begins one more in this turn. A request costs some 20 us, and 200 us on a new connection to its server,
 * so four clients that leave a hundred requests open each would hold all others for 80 ms.
 */
const TURN_MS = 1

/** A turn of the event loop, and the time that beginning requests takes in it. */
export class BeginTurn {
  readonly #now: () => number
  #endsAt = Infinity

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
}

function leave(turn: BeginTurn): void {
  turn.leave()
}

/** Of this thread. */
const thread = new BeginTurn(() => performance.now())

export class ReadEnds {
  readonly #most: number
  readonly #turn: BeginTurn
  #touched: Http2Stream[] = []
  #isScheduled = false

  constructor(most: number, turn: BeginTurn = thread) {
    this.#most = most
    this.#turn = turn
  }

  touch(stream: Http2Stream): void {
    if (stream.readEnded === undefined || this.#touched.at(-1) === stream) return
    this.#touched.push(stream)
  }

  /** The read has ended. */
  end(): void {
    if (this.#touched.length === 0 || this.#isScheduled) return
    const touched = this.#touched
    this.#touched = []
    if (touched.length === 1 || this.#most === Infinity) {
      for (const stream of touched) begin(stream)
      return
    }
    this.#turn.enter()
    const most = Math.min(touched.length, this.#most)
    let begun = 0
    do begin(touched[begun++])
    while (begun < most && !this.#turn.isOver)
    if (begun === touched.length) return
    this.#touched = touched.slice(begun)
    this.#isScheduled = true
    setImmediate(goOn, this)
  }

  /** Those that were reset take no place in the next turn. */
  goOn(): void {
    this.#isScheduled = false
    this.#touched = this.#touched.filter(({ isReset }) => !isReset)
    this.end()
  }
}

function begin(stream: Http2Stream | undefined): void {
  if (stream === undefined || stream.isReset) return
  try {
    stream.readEnded?.()
  } catch (error) {
    stream.caught(error)
  }
}

function goOn(ends: ReadEnds): void {
  ends.goOn()
}
