/**
 * Limits the concurrent requests of a frontend over all workers: `inflight: { requests: 100, queue: 50, wait: 1s }`. Further
 * requests wait, first come, first served within a worker; `queue` counts those of all workers. A request gets a 503 if the
 * queue is full, or if it has waited for `wait`.
 *
 * A permit that is released here admits the next request of this worker's queue. Permits that other workers release are noticed by
 * polling every few ms while requests wait here. A new request in another worker may take such a permit first.
 */
import { errorResponse, type LocalResponse } from '../http/message/local-response.ts'
import { ExchangeError } from '../http/message/errors.ts'
import { toMs } from '../model/units.ts'
import { releasePermit, IN_FLIGHT, takePermit, WAITING } from '../policy/limiting/permits.ts'
import { type Waiter, WaitQueue } from '../policy/limiting/wait-queue.ts'
import type { Slot } from '../scoreboard/scoreboard.ts'
import type {
  MiddlewareKind,
  MiddlewareContext,
  CompileContext,
  MiddlewareDecision,
} from './middleware.ts'

interface InFlightOptions {
  requests: number
  queue: number
  wait: string
}

const MOST = 1_000_000
const LONGEST_WAIT_MS = 600_000
const POLL_MS = 5

export const inflight: MiddlewareKind<InFlightOptions> = {
  kind: 'inflight',
  options: ({ strict, limit, count, durationText }) =>
    strict(
      {
        requests: limit('Concurrent requests.', MOST),
        queue: count('Requests that wait for one of these to end.', 0, 0, MOST),
        wait: durationText('How long a request waits at most.', 1, LONGEST_WAIT_MS).prefault('1s'),
      },
      'Limits the concurrent requests of the frontend; further ones wait or get a 503.',
    ),
  state: { in: 'slot', of: 'frontend' },
  compile(options, compileContext) {
    const gate = new Gate(options, compileContext)
    return { onRequest: (_exchange, context) => gate.enter(context) }
  },
}

class Gate {
  readonly #requests: number
  readonly #queue: number
  readonly #slot: Slot
  readonly #now: () => number
  readonly #waiting: WaitQueue<MiddlewareContext>
  readonly #full: LocalResponse
  readonly #late: LocalResponse
  /** One function for all requests. */
  readonly #leave: () => void
  /** Runs while requests wait. */
  #timer: NodeJS.Timeout | null = null
  #admitsSoon = false

  constructor({ requests, queue, wait }: InFlightOptions, { slot, now }: CompileContext) {
    this.#requests = requests
    this.#queue = queue
    this.#slot = slot
    this.#now = now
    this.#waiting = new WaitQueue(toMs(wait))
    this.#full = errorResponse(
      new ExchangeError('QUEUE_FULL', `${requests} requests are under way and ${queue} wait`),
    )
    this.#late = errorResponse(
      new ExchangeError('QUEUE_TIMEOUT', `${requests} requests were under way for ${wait}`),
    )
    this.#leave = () => {
      releasePermit(this.#slot, IN_FLIGHT)
      this.#admitSoon()
    }
  }

  enter(context: MiddlewareContext): MiddlewareDecision | 'pending' {
    if (this.#waiting.isEmpty && takePermit(this.#slot, IN_FLIGHT, this.#requests)) {
      context.onEnd(this.#leave)
      return null
    }
    const waiter = this.#waiting.add(context, this.#now())
    if (!takePermit(this.#slot, WAITING, this.#queue)) {
      this.#waiting.remove(waiter)
      return this.#full
    }
    context.onEnd(() => {
      if (waiter.isWaiting) this.#dequeue(waiter)
    })
    this.#timer ??= setInterval(() => this.#catching(() => this.#poll()), POLL_MS).unref()
    return 'pending'
  }

  /** On the next tick, so that the request that has just ended is finished before the next one begins. */
  #admitSoon(): void {
    if (this.#admitsSoon || this.#waiting.isEmpty) return
    this.#admitsSoon = true
    process.nextTick(() => {
      this.#admitsSoon = false
      this.#catching(() => this.#admit())
    })
  }

  /** An exception is a fault of the request whose turn it is. */
  #catching(step: () => void): void {
    const { first } = this.#waiting
    try {
      step()
    } catch (error) {
      ;(this.#waiting.first ?? first)?.item.fault(error)
    }
  }

  #poll(): void {
    const now = this.#now()
    for (let first = this.#waiting.first; first !== null; first = this.#waiting.first) {
      if (first.expiresAt > now) break
      this.#dequeue(first)
      first.item.resume(this.#late)
    }
    this.#admit()
    if (!this.#waiting.isEmpty || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }

  #admit(): void {
    for (let first = this.#waiting.first; first !== null; first = this.#waiting.first) {
      if (!takePermit(this.#slot, IN_FLIGHT, this.#requests)) return
      first.item.onEnd(this.#leave)
      this.#dequeue(first)
      first.item.resume(null)
    }
  }

  #dequeue(waiter: Waiter<MiddlewareContext>): void {
    this.#waiting.remove(waiter)
    releasePermit(this.#slot, WAITING)
  }
}
