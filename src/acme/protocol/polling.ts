/** Waits for a CA: looks again after what it asks for, within bounds, and lives with a CA that is away for a moment. */
import { setTimeout as pause } from 'node:timers/promises'
import { AcmeError } from './acme-error.ts'

export interface Polling {
  /** Completes `cannot`. */
  readonly what: string
  readonly who: string
  /** For all looks together. */
  readonly waitMs: number
  readonly signal: AbortSignal
}

/** Null: look again, after what the CA asks for. */
export type Look<T> = () => Promise<{
  readonly done: T | null
  readonly retryAfterMs: number | null
}>

const FIRST_MS = 250
const LONGEST_MS = 5_000
const GROWTH = 1.6
/** A CA may ask for more only if it says so, and not for as much as it likes. */
const LONGEST_ASKED_MS = 60_000

export async function poll<T>(look: Look<T>, polling: Polling): Promise<T> {
  const { what, who, waitMs, signal } = polling
  const start = performance.now()
  let own = FIRST_MS
  for (;;) {
    let last: AcmeError | null = null
    let asked: number | null
    try {
      const found = await look()
      if (found.done !== null) return found.done
      asked = found.retryAfterMs
    } catch (error) {
      if (!(error instanceof AcmeError) || !isPassing(error)) throw error
      if ((error.retryAfterMs ?? 0) > LONGEST_ASKED_MS) throw error
      last = error
      asked = error.retryAfterMs
    }
    const wait = asked === null || asked === 0 ? own : Math.min(asked, LONGEST_ASKED_MS)
    own = Math.min(own * GROWTH, LONGEST_MS)
    if (performance.now() - start + wait > waitMs) throw last ?? late(what, who, waitMs)
    await pauseFor(wait, what, signal)
  }
}

/** It says nothing about what was asked for. */
function isPassing({ type, status }: AcmeError): boolean {
  if (type === 'unreachable' || type === 'timeout' || type === 'badNonce') return true
  return status === 429 || (status !== null && status >= 500)
}

function late(what: string, who: string, waitMs: number): AcmeError {
  const detail = `it is not done after ${Math.round(waitMs / 1000)} s`
  return new AcmeError(`cannot ${what}: ${who} still works on it after ${waitMs / 1000} s`, {
    type: 'timeout',
    detail,
  })
}

async function pauseFor(ms: number, what: string, signal: AbortSignal): Promise<void> {
  try {
    await pause(ms, undefined, { signal })
  } catch (cause) {
    throw new AcmeError(`cannot ${what}: it was ended`, {
      type: 'aborted',
      detail: 'it was ended',
      cause,
    })
  }
}
