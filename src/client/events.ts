/**
 * GET /api/events as an async iterator. A lost connection is made again, from the last event on; if some were missed meanwhile,
 * the iterator yields `reset`, and the state is to be read again.
 */
import type { IncomingMessage } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { createSseParser, type ServerSentEvent } from '../http/server-sent-events.ts'
import { SluiceError } from './sluice-error.ts'
import { type CallOptions, toSignal, type Transport } from './transport.ts'

/** Ids; of more than 100 their count, and the first of them. */
export type Names =
  readonly string[] | { readonly count: number; readonly first: readonly string[] }

export interface ChangedNames {
  readonly listeners: Names
  readonly backends: Names
  readonly frontends: Names
}

export interface ProblemEvent {
  readonly kind: string
  readonly id: string
  readonly message: string
  readonly level?: 'warning' | 'hint'
  readonly source: string
  readonly key: string
}

export interface EventData {
  /** A configuration is published. */
  readonly table: {
    readonly number: number
    readonly changed: ChangedNames
    readonly removed: ChangedNames
  }
  /** Every worker has it. */
  readonly 'in-force': { readonly number: number }
  readonly server: {
    readonly backend: string
    readonly url: string
    readonly state: string
    readonly reason: string | null
  }
  readonly breaker: {
    readonly frontend: string | null
    readonly backend: string | null
    readonly server: string | null
    readonly condition: string
    readonly state: string
  }
  readonly panic: { readonly backend: string; readonly panics: boolean }
  /** A number of replicas is changed, or would be (`dry-run`), or could not be (`failed`). */
  readonly scale: {
    readonly backend: string
    readonly from: number
    readonly to: number
    readonly direction: 'up' | 'down'
    readonly reason: string
    readonly outcome: 'done' | 'failed' | 'dry-run'
    readonly error: string | null
  }
  readonly certificate: {
    readonly kind: string
    readonly id: string
    readonly names: readonly string[]
    readonly fingerprint: string
    readonly endsAt: string
    readonly gone: boolean
  }
  readonly problem: ProblemEvent
  readonly resolved: ProblemEvent
  /** Events were missed: read the state again. */
  readonly reset: object
}

export type SluiceEvent = {
  readonly [Type in keyof EventData]: {
    readonly type: Type
    readonly data: EventData[Type]
    /** For `lastEventId` of another iterator. */
    readonly id: string
  }
}[keyof EventData]

export interface EventOptions extends CallOptions {
  /** The id of the last event that was taken: those behind it follow. */
  readonly lastEventId?: string
  /** False: the iterator ends with the first connection. */
  readonly reconnect?: boolean
}

/** The server sends something every 15 s. */
const SILENCE_MS = 45_000
const PAUSE_MS = 1_000
const MAX_PAUSE_MS = 30_000
/** Also if the server asks for none. */
const MIN_PAUSE_MS = 100
const MAX_EVENT_CHARS = 1 << 20

/** Rejects if the first connection fails, if the client may not read events, and when the signal is aborted. */
export async function* readEvents(
  transport: Transport,
  options: EventOptions = {},
): AsyncGenerator<SluiceEvent, void, undefined> {
  const { signal, reconnect = true } = options
  let lastId = options.lastEventId ?? ''
  let pauseMs = PAUSE_MS
  let failures = 0

  for (let isFirst = true; ; isFirst = false) {
    try {
      const response = await transport.open({
        ...{ method: 'GET', path: '/api/events' },
        headers: {
          Accept: 'text/event-stream',
          'Last-Event-ID': lastId === '' ? undefined : lastId,
        },
        ...toSignal(options),
      })
      const parse = createSseParser(MAX_EVENT_CHARS, {
        id: (id) => (lastId = id),
        retry: (ms) => (pauseMs = Math.max(MIN_PAUSE_MS, Math.min(ms, MAX_PAUSE_MS))),
      })
      failures = 0
      for await (const chunk of chunksOf(response)) {
        for (const event of parse(chunk)) {
          const read = toEvent(event)
          if (read !== null) yield read
        }
      }
      signal?.throwIfAborted()
    } catch (error) {
      if (signal?.aborted === true) throw aborted(error)
      if (isFirst || !isPassing(error)) throw error
    }
    if (!reconnect) return
    const backoffMs = Math.min(pauseMs * 2 ** failures, MAX_PAUSE_MS)
    failures = Math.min(failures + 1, 8)
    // Not all readers at once after a restart.
    const waitMs = backoffMs * (1 + Math.random() / 4)
    await pause(waitMs, undefined, toSignal(options)).catch((error: unknown) => {
      throw aborted(error)
    })
  }
}

/** The texts of a response until it ends, however it does. */
async function* chunksOf(response: IncomingMessage): AsyncGenerator<string, void, undefined> {
  response.setEncoding('utf8')
  const chunks = response[Symbol.asyncIterator]() as AsyncIterator<string, undefined>
  try {
    for (;;) {
      // Only while it is waited for: the one who takes the events may be slow.
      const timer = setTimeout(() => response.destroy(), SILENCE_MS)
      const next = await chunks.next().catch(() => null)
      clearTimeout(timer)
      if (next === null || next.done === true) return
      yield next.value
    }
  } finally {
    response.destroy()
  }
}

/** What a server that comes back, or has room again, does not repeat. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof SluiceError)) return false
  const { status } = error
  return status === null || status === 429 || status >= 500
}

function aborted(cause: unknown): SluiceError {
  if (cause instanceof SluiceError) return cause
  return new SluiceError('the events were given up', {
    ...{ code: 'ABORTED', method: 'GET', path: '/api/events', cause },
  })
}

/** Null: it is no event of the API. */
function toEvent({ type, data, id, isCut }: ServerSentEvent): SluiceEvent | null {
  if (isCut) return { type: 'reset', data: {}, id }
  try {
    return { type, data: JSON.parse(data) as unknown, id } as SluiceEvent
  } catch {
    return null
  }
}
