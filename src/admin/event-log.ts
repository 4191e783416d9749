/**
 * GET /api/events: what changes, as server-sent events. The last events are kept, so that a reader that comes back goes on
 * where it was (Last-Event-ID); if it was away for too long, or the program was started again, it gets `reset` and reads the
 * state anew. A reader that does not keep up is cut off, and so comes back. One whose
 * token is taken away gets no more events.
 */
import { randomUUID } from 'node:crypto'
import {
  type Answer,
  type Call,
  type Endpoint,
  type EventStream,
  reading,
  Refused,
} from './endpoint.ts'
import { toJson } from './json.ts'
import { text } from './openapi/schema.ts'

export type EventType =
  | 'table'
  | 'in-force'
  | 'server'
  | 'breaker'
  | 'panic'
  | 'scale'
  | 'certificate'
  | 'problem'
  | 'resolved'

export interface EventLog {
  add(type: EventType, data: object): void
  /** Called with the type of each event. */
  listen(listener: (type: EventType) => void): void
  readonly endpoint: Endpoint
  /** Ends all readers. */
  close(): void
}

const MAX_EVENTS = 1024
const MAX_READERS = 64
const HEARTBEAT_MS = 15_000
/** When a reader comes back. */
const RETRY_MS = 2_000

/** `boot`: names this run of the program in ids. */
export function createEventLog(boot: string = randomUUID().slice(0, 8)): EventLog {
  /** Each with the question whether it may still read. */
  const readers = new Map<EventStream, () => boolean>()
  /** The last ones, in order; the number of the first is `next - events.length`. */
  const events: string[] = []
  const listeners: ((type: EventType) => void)[] = []
  let next = 1
  let heartbeat: NodeJS.Timeout | null = null

  function sendAll(text: string): void {
    for (const [reader, isStillAllowed] of readers) {
      if (!isStillAllowed() || !reader.send(text)) drop(reader)
    }
  }

  function drop(reader: EventStream): void {
    readers.delete(reader)
    reader.end()
  }

  function idOf(number: number): string {
    return `${boot}-${number}`
  }

  /** What a reader has missed since this id; null: not known. */
  function since(id: string): readonly string[] | null {
    const [, of, number] = /^(.+)-(\d{1,15})$/.exec(id) ?? []
    const after = Number(number) + 1
    const first = next - events.length
    return of !== boot || after < first || after > next ? null : events.slice(after - first)
  }

  function open(
    lastId: string | null,
    isStillAllowed: () => boolean,
  ): (stream: EventStream) => () => void {
    return (stream) => {
      const missed = lastId === null ? [] : since(lastId)
      const start = `retry: ${RETRY_MS}\n\n`
      const isSent =
        missed === null
          ? stream.send(`${start}id: ${idOf(next - 1)}\nevent: reset\ndata: {}\n\n`)
          : stream.send(start + (lastId === null ? `id: ${idOf(next - 1)}\n\n` : missed.join('')))
      if (!isSent) {
        stream.end()
        return () => {}
      }
      readers.set(stream, isStillAllowed)
      heartbeat ??= setInterval(() => sendAll(': alive\n\n'), HEARTBEAT_MS).unref()
      return () => {
        readers.delete(stream)
        if (readers.size > 0 || heartbeat === null) return
        clearInterval(heartbeat)
        heartbeat = null
      }
    }
  }

  function run({ headers, isStillAllowed }: Call): Answer {
    if (readers.size >= MAX_READERS) {
      throw new Refused(429, `${MAX_READERS} clients read events already`)
    }
    const given = headers['last-event-id']
    const lastId = typeof given === 'string' ? given : null
    return { status: 200, content: { kind: 'events', open: open(lastId, isStillAllowed) } }
  }

  return {
    add(type, data) {
      const text = `id: ${idOf(next)}\nevent: ${type}\ndata: ${toJson(data)}\n\n`
      next += 1
      events.push(text)
      if (events.length > MAX_EVENTS) events.shift()
      sendAll(text)
      for (const listener of listeners) listener(type)
    },
    listen: (listener) => void listeners.push(listener),
    endpoint: reading(
      '/api/events',
      'changes of the table, servers, breakers, certificates and problems, as server-sent events',
      run,
      {
        headers: { 'Last-Event-ID': 'the last event that the client has: those behind it follow' },
        answers: { 200: 'events, until the client leaves', 429: 'too many clients read them' },
        gives: { type: 'text/event-stream', schema: text },
      },
    ),
    close() {
      if (heartbeat !== null) clearInterval(heartbeat)
      for (const reader of readers.keys()) drop(reader)
    },
  }
}
