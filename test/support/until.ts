/** Waits for conditions: code that changes something calls `changed`, and every wait looks again. No test waits for a duration. */

/** How long a condition may take before the test fails: for a machine that does much else meanwhile. */
export const PATIENCE_MS = 60_000

export interface Watch {
  /** Something that a condition may look at has changed. */
  changed(): void
  /** The first truthy result of `look`, asked now and after every change; `what` names it when patience ends. */
  until<T>(look: () => T | undefined | null | false, what: string, patienceMs?: number): Promise<T>
}

export function createWatch(): Watch {
  const waiting = new Set<() => void>()
  return {
    changed() {
      for (const lookAgain of [...waiting]) lookAgain()
    },
    until<T>(look: () => T | undefined | null | false, what: string, patienceMs = PATIENCE_MS) {
      return new Promise<T>((resolve, reject) => {
        const finish = (): void => {
          clearTimeout(timer)
          waiting.delete(lookAgain)
        }
        const lookAgain = (): void => {
          try {
            const found = look()
            if (!found) return
            finish()
            resolve(found)
          } catch (error) {
            finish()
            reject(error instanceof Error ? error : new Error(String(error)))
          }
        }
        const fail = (): void => {
          finish()
          reject(new Error(`${what}: did not happen within ${patienceMs} ms`))
        }
        const timer = patienceMs === Infinity ? undefined : setTimeout(fail, patienceMs)
        waiting.add(lookAgain)
        lookAgain()
      })
    },
  }
}

/** Lets everything that is ready happen once. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Waits before a condition is looked at again: longer the longer it has not held, so that a long wait takes little of the processor. */
export async function untilNextLook(waitedMs: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, Math.min(50, 1 + waitedMs / 20)))
}

/** Asks `look` again and again, for things that announce no change. */
export async function eventually<T>(
  look: () => T | undefined | null | false | Promise<T | undefined | null | false>,
  what: string,
  patienceMs: number = PATIENCE_MS,
): Promise<T> {
  const start = performance.now()
  for (;;) {
    const found = await look()
    if (found) return found
    const waitedMs = performance.now() - start
    if (waitedMs > patienceMs) throw new Error(`${what}: did not happen within ${patienceMs} ms`)
    await untilNextLook(waitedMs)
  }
}
