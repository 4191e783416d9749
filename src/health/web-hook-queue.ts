/**
 * Web-hooks of breakers on their way: at most so many at a time, and one of a breaker at a time, so that an endpoint that
 * hangs holds up nobody. What a breaker has to say while its last call is under way waits; only the latest of it does.
 */
import { setTimeout } from 'node:timers/promises'
import { shortageOf } from '../http/shortage.ts'
import type { WebHook } from '../model/snapshot.ts'

export interface WebHookQueue {
  /** `breaker` tells them apart; `name` is for the log. */
  send(breaker: object, hook: WebHook, name: string): void
  /** Calls off what is under way. */
  stop(): Promise<void>
}

/** Rejects with the reason. */
export type SendHook = (hook: WebHook, options: { signal: AbortSignal }) => Promise<unknown>

const AT_A_TIME = 32
/** Outlasted by a web-hook, with a pause after each. */
const SHORTAGES = 10
const AGAIN_MS = 1_000

interface PendingCall {
  readonly hook: WebHook
  readonly name: string
}

export function createWebHookQueue(
  sendHook: SendHook,
  /** `origin`: of the url, whose path and query are often the secret itself. */
  failed: (name: string, origin: string, reason: string) => void,
  onShortage: (code: string) => void = () => {},
  againMs: number = AGAIN_MS,
): WebHookQueue {
  const underWay = new Map<object, Promise<void>>()
  const waiting = new Map<object, PendingCall>()
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
      await sendInTheEnd(hook)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      if (!stopping.signal.aborted) failed(name, new URL(hook.url).origin, reason)
    }
    underWay.delete(breaker)
    if (!stopping.signal.aborted) next()
  }

  /** A shortage of our own is waited for. */
  async function sendInTheEnd(hook: WebHook): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await sendHook(hook, { signal: stopping.signal })
        return
      } catch (error) {
        const shortage = shortageOf(error)
        if (shortage === null) throw error
        onShortage(shortage)
        if (tries === SHORTAGES) throw error
      }
      await setTimeout(againMs, undefined, { signal: stopping.signal })
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
      await Promise.all(underWay.values())
    },
  }
}
