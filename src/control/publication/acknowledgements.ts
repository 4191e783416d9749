/** The numbers that the serving threads have acknowledged. A number is in force once every attached thread has reached it. */
export interface Acknowledgements {
  attach(thread: number): void
  detach(thread: number): void
  record(thread: number, number: number): void
  /** The least number over the attached threads, 0 without any. */
  least(): number
  /** Resolves once all attached threads have reached the number. */
  whenReached(number: number): Promise<void>
}

interface Waiter {
  readonly number: number
  readonly resolve: () => void
}

/** Calls `onAdvance` each time the least number exceeds all earlier ones. */
export function createAcknowledgements(onAdvance: (number: number) => void): Acknowledgements {
  const reached = new Map<number, number>()
  let waiters: Waiter[] = []
  let highest = 0

  function least(): number {
    return reached.size === 0 ? 0 : Math.min(...reached.values())
  }

  function settle(): void {
    const number = least()
    if (number > highest) {
      highest = number
      onAdvance(number)
    }
    const ready = waiters.filter((waiter) => waiter.number <= number)
    waiters = waiters.filter((waiter) => waiter.number > number)
    for (const waiter of ready) waiter.resolve()
  }

  return {
    attach(thread) {
      reached.set(thread, 0)
    },
    detach(thread) {
      reached.delete(thread)
      settle()
    },
    record(thread, number) {
      const known = reached.get(thread)
      // An acknowledgement may arrive after its thread has died.
      if (known === undefined || number <= known) return
      reached.set(thread, number)
      settle()
    },
    least,
    whenReached(number) {
      return new Promise((resolve) => {
        waiters.push({ number, resolve })
        settle()
      })
    },
  }
}
