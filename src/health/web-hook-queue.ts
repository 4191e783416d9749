/**
 * Calls the web-hooks of breakers: a limited number at a time, and one of each breaker, so that an endpoint that hangs delays
 * no other. While a call of a breaker is in progress, its latest call waits and replaces an earlier one that waits.
 */
import { setTimeout } from 'node:timers/promises'
import { shortageOf } from '../http/connection/shortage.ts'
import { messageOf } from '../model/error-message.ts'
import type { WebHook } from '../model/snapshot.ts'

export interface WebHookQueue {
  /** `breaker` is the identity; `name` is for the log. */
  send(breaker: object, hook: WebHook, name: string): void
  /** Aborts the calls in progress and resolves when they have ended. */
  stop(): Promise<void>
}

/** Makes one call; rejects with the reason of a failure. */
export type SendHook = (hook: WebHook, options: { signal: AbortSignal }) => Promise<unknown>

const MAX_CONCURRENT = 32
/** How often a call is tried while this process is short of resources, with a pause after each. */
const MAX_TRIES = 10
const RETRY_AFTER_MS = 1_000

interface PendingCall {
  readonly hook: WebHook
  readonly name: string
}

export function createWebHookQueue(
  sendHook: SendHook,
  /** `origin`: of the url, whose path and query are often the secret itself. */
  failed: (name: string, origin: string, reason: string) => void,
  onShortage: (code: string) => void = () => {},
  retryAfterMs: number = RETRY_AFTER_MS,
): WebHookQueue {
  const inProgress = new Map<object, Promise<void>>()
  const waiting = new Map<object, PendingCall>()
  const stopping = new AbortController()

  function next(): void {
    for (const [breaker, { hook, name }] of waiting) {
      if (inProgress.size >= MAX_CONCURRENT) return
      if (inProgress.has(breaker)) continue
      waiting.delete(breaker)
      inProgress.set(breaker, run(breaker, hook, name))
    }
  }

  async function run(breaker: object, hook: WebHook, name: string): Promise<void> {
    try {
      await sendWithRetry(hook)
    } catch (error) {
      const reason = messageOf(error)
      if (!stopping.signal.aborted) failed(name, new URL(hook.url).origin, reason)
    }
    inProgress.delete(breaker)
    if (!stopping.signal.aborted) next()
  }

  /** Tries again after a shortage of this process, see http/connection/shortage.ts. */
  async function sendWithRetry(hook: WebHook): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await sendHook(hook, { signal: stopping.signal })
        return
      } catch (error) {
        const shortage = shortageOf(error)
        if (shortage === null) throw error
        onShortage(shortage)
        if (tries === MAX_TRIES) throw error
      }
      await setTimeout(retryAfterMs, undefined, { signal: stopping.signal })
    }
  }

  return {
    send(breaker, hook, name) {
      waiting.set(breaker, { hook, name })
      next()
    },
    async stop() {
      waiting.clear()
      stopping.abort()
      await Promise.all(inProgress.values())
    },
  }
}
