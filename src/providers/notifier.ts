/** Wakes the loop of a provider. A notification without a waiter ends the next wait; several of them count as one. */
export interface Notifier {
  notify(): void
  /** Resolves to true when notified (also if that was since the last wait), to false after `ms`. Without `ms` there is no limit. */
  wait(ms?: number): Promise<boolean>
}

export function createNotifier(): Notifier {
  let isNotified = false
  let wake: (() => void) | null = null

  return {
    notify() {
      isNotified = true
      wake?.()
    },
    wait(ms) {
      return new Promise((resolve) => {
        let timer: NodeJS.Timeout | null = null
        const finish = (): void => {
          if (timer !== null) clearTimeout(timer)
          wake = null
          resolve(isNotified)
          isNotified = false
        }
        if (isNotified) return finish()
        wake = finish
        if (ms !== undefined) timer = setTimeout(finish, ms)
      })
    },
  }
}
