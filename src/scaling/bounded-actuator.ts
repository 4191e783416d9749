/**
 * An actuator whose calls end in time, whatever the provider does. It is opened when it is needed, and again after a pause if that
 * fails; a call that has failed is tried again after a pause that grows. One call at a time.
 */
import { exponentialBackoff } from '../model/backoff.ts'
import { messageOf } from '../model/error-message.ts'
import type { Actuator } from './actuator.ts'

export interface ActuatorWorld {
  /** ms, monotonic. */
  readonly now: () => number
  /** From 0 up to 1. */
  readonly random: () => number
}

export interface ActuatorTimes {
  readonly observeMs: number
  readonly setMs: number
  readonly closeMs: number
}

const TIMES: ActuatorTimes = { observeMs: 5_000, setMs: 30_000, closeMs: 15_000 }
const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 60_000
/** Pauses of several backends do not end together. */
const JITTER = 0.2
const LONGEST_MESSAGE = 300

export class BoundedActuator {
  readonly failures = { set: 0, observe: 0 }
  readonly #open: () => Promise<Actuator>
  readonly #world: ActuatorWorld
  readonly #times: ActuatorTimes
  readonly #ending = new AbortController()
  /** Of the call of `setReplicas` in progress. */
  #setting: AbortController | null = null
  #actuator: Promise<Actuator> | null = null
  /** The call in progress. One that was cut off and has not ended lets no other begin. */
  #hanging: Promise<unknown> | null = null
  #inARow = 0
  #pauseUntil = -Infinity

  constructor(
    /** Rejects with a message for people. */
    open: () => Promise<Actuator>,
    world: ActuatorWorld,
    times: ActuatorTimes = TIMES,
  ) {
    this.#open = open
    this.#world = world
    this.#times = times
  }

  /** Whether a call of `setReplicas` failed so recently that it is not tried again yet. */
  isPausing(): boolean {
    return this.#world.now() < this.#pauseUntil
  }

  /** Rejects with a message for people. */
  async observed(): Promise<number | null> {
    try {
      const replicas = await this.#within(
        this.#times.observeMs,
        'say how many replicas it has',
        (one, signal) => one.observed(signal),
      )
      if (replicas === null || (Number.isSafeInteger(replicas) && replicas >= 0)) return replicas
      throw new Error(`it says that it has ${replicas} replicas`)
    } catch (error) {
      this.failures.observe++
      throw error
    }
  }

  /** Rejects with a message for people, and then pauses. */
  async setReplicas(replicas: number): Promise<void> {
    const setting = new AbortController()
    this.#setting = setting
    try {
      await this.#within(
        this.#times.setMs,
        `take ${replicas} replicas`,
        (one, signal) => one.setReplicas(replicas, signal),
        setting.signal,
      )
      this.#inARow = 0
      this.#pauseUntil = -Infinity
    } catch (error) {
      this.failures.set++
      const pause = exponentialBackoff(FIRST_PAUSE_MS, this.#inARow++, LONGEST_PAUSE_MS)
      this.#pauseUntil = this.#world.now() + pause * (1 + JITTER * this.#world.random())
      throw error
    } finally {
      this.#setting = null
    }
  }

  /** A call of `setReplicas` in progress ends, for a reason for people. */
  abandon(reason: string): void {
    this.#setting?.abort(new Error(reason))
  }

  /** Calls in progress end, for a reason for people. Never rejects. */
  async close(reason: string = 'it is closed'): Promise<void> {
    this.#ending.abort(new Error(reason))
    const opened = this.#actuator
    if (opened === null) return
    const closed = opened.then((one) => one.close())
    await Promise.race([Promise.allSettled([closed, this.#hanging]), wait(this.#times.closeMs)])
  }

  async #within<T>(
    ms: number,
    what: string,
    call: (actuator: Actuator, signal: AbortSignal) => Promise<T>,
    abandoned?: AbortSignal,
  ): Promise<T> {
    if (this.#hanging !== null) throw new Error('it has not ended its last call yet')
    const timeout = AbortSignal.timeout(ms)
    const ends = [this.#ending.signal, ...(abandoned === undefined ? [] : [abandoned])]
    const signal = AbortSignal.any([timeout, ...ends])
    const called = this.#opened().then((actuator) => call(actuator, signal))
    this.#watch(called)
    const late = `it did not ${what} within ${ms / 1000} s`
    try {
      return await Promise.race([
        called,
        cutOff(signal, () => (timeout.aborted ? late : messageOf(signal.reason))),
      ])
    } catch (error) {
      throw new Error(oneLine(error), { cause: error })
    }
  }

  #watch(called: Promise<unknown>): void {
    this.#hanging = called
    const end = (): void => {
      if (this.#hanging === called) this.#hanging = null
    }
    called.then(end, end)
  }

  /** One that could not be opened is opened anew with the next call. */
  #opened(): Promise<Actuator> {
    if (this.#actuator !== null) return this.#actuator
    const opening = this.#open()
    this.#actuator = opening
    opening.catch(() => {
      if (this.#actuator === opening) this.#actuator = null
    })
    return opening
  }
}

/** Rejects when the signal is aborted. */
function cutOff(signal: AbortSignal, reason: () => string): Promise<never> {
  return new Promise((_resolve, reject) => {
    const cut = (): void => reject(new Error(reason()))
    if (signal.aborted) cut()
    else signal.addEventListener('abort', cut, { once: true })
  })
}

function oneLine(error: unknown): string {
  return messageOf(error).replace(/\s+/g, ' ').slice(0, LONGEST_MESSAGE)
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref())
}
