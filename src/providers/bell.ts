/** Wakes a provider's loop: what rings while nobody waits is heard by the next wait, however often it rang. */
export interface Bell {
  ring(): void
  /** True as soon as it rings (or has rung since the last wait), false after `ms`; waits for ever without `ms`. */
  wait(ms?: number): Promise<boolean>
}

export function createBell(): Bell {
  let rung = false
  let wake: (() => void) | null = null

  return {
    ring() {
      rung = true
      wake?.()
    },
    wait(ms) {
      return new Promise((resolve) => {
        let timer: NodeJS.Timeout | null = null
        const finish = (): void => {
          if (timer !== null) clearTimeout(timer)
          wake = null
          resolve(rung)
          rung = false
        }
        if (rung) return finish()
        wake = finish
        if (ms !== undefined) timer = setTimeout(finish, ms)
      })
    },
  }
}
