/**
 * Web-hooks of breakers on their way: at most so many at a time, and one of a breaker at a time, so that an endpoint that
 * hangs holds up nobody. What a breaker has to say while its last call is under way waits; only the latest of it does.
 */
import type { WebHook } from '../../model/snapshot.ts'

export interface Hooks {
  /** `breaker` tells them apart; `name` is for the log. */
  send(breaker: object, hook: WebHook, name: string): void
  /** Calls off what is under way. */
  stop(): Promise<void>
}

/** Rejects with the reason. */
export type SendHook = (hook: WebHook, options: { signal: AbortSignal }) => Promise<unknown>

const AT_A_TIME = 32

interface Waiting {
  readonly hook: WebHook
  readonly name: string
}

export function createHooks(
  sendHook: SendHook,
  /** `origin`: of the url, whose path and query are often the secret itself. */
  failed: (name: string, origin: string, reason: string) => void,
): Hooks {
  const underWay = new Map<object, Promise<void>>()
  const waiting = new Map<object, Waiting>()
  const stopping = new AbortController()

  function next(): void {
    for (const [breaker, { hook, name }] of waiting) {
      if (underWay.size >= AT_A_TIME) return
      if (underWay.has(breaker)) continue
      waiting.delete(breaker)
      underWay.set(breaker, run(breaker, hook, name))
    }
  }

  async function run(breaker: object, hook: WebHook, name: string): Promise<void> {
    try {
      await sendHook(hook, { signal: stopping.signal })
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      if (!stopping.signal.aborted) failed(name, new URL(hook.url).origin, reason)
    }
    underWay.delete(breaker)
    if (!stopping.signal.aborted) next()
  }

  return {
    send(breaker, hook, name) {
      waiting.set(breaker, { hook, name })
      next()
    },
    async stop() {
      waiting.clear()
      stopping.abort()
      await Promise.all(underWay.values())
    },
  }
}
