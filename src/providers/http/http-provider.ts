/**
 * A document over HTTP as a source of declarations: asked for again and again, with the ETag of the last response. A server that
 * knows `Prefer: wait` (RFC 7240) holds the request until the document has changed, and responds with 304 if it has not.
 *
 * Each response that differs is a list, so that a document that has lost half of its objects is held as that of a registry is. A
 * document that cannot be read as a whole changes nothing. No connection, no response in time, and any other status than 200 and
 * 304 end the watch.
 */
import { hash } from 'node:crypto'
import { createHttpClient, type HttpResponse } from '../http-client/http-client.ts'
import { HttpFailure } from '../http-client/failure.ts'
import type { Layout } from '../layout.ts'
import { createObjectMirror } from '../listing/object-mirror.ts'
import { createNotifier } from '../notifier.ts'
import type { Declaration, Provider, Unreadable } from '../provider.ts'
import { createDocumentReader, type DocumentReading } from './read-document.ts'
import { shownPath } from './shown-path.ts'
import type { HttpDocumentSource } from './source.ts'

export interface HttpProviderOptions {
  /** performance.now(). */
  readonly now?: () => number
  /** From 0 up to 1. */
  readonly random?: () => number
}

/** Between requests of a long poll, however fast the document changes. */
const MIN_GAP_MS = 100

/** `layout`: of the format traefik; null for sluice. */
export function createHttpProvider(
  spec: HttpDocumentSource,
  layout: Layout | null,
  options: HttpProviderOptions = {},
): Provider {
  const { now = () => performance.now(), random = Math.random } = options
  const reloads = new Set<() => void>()
  return {
    name: spec.name,
    watch: (signal) => watchDocument(spec, layout, { now, random }, signal, reloads),
    reload() {
      for (const reload of reloads) reload()
    },
  }
}

async function* watchDocument(
  spec: HttpDocumentSource,
  layout: Layout | null,
  { now, random }: Required<HttpProviderOptions>,
  signal: AbortSignal,
  reloads: Set<() => void>,
): AsyncGenerator<Declaration | Unreadable, void, undefined> {
  const { origin, path, tls, headers, intervalMs, waitMs, timeoutMs, maxBytes } = spec
  const place = `${origin}${shownPath(path)}`
  const client = createHttpClient({ what: 'the server', origin, tls, headers, connections: 1 })
  const reader = createDocumentReader(place, layout)
  const mirror = createObjectMirror()
  const notifier = createNotifier()
  let why: string | null = 'first'
  let asking = new AbortController()
  let etag: string | null = null
  /** Of the last body; '' before the first. */
  let digest = ''
  const reload = (): void => {
    why = why === 'first' ? why : 'asked'
    asking.abort()
    notifier.notify()
  }
  reloads.add(reload)
  signal.addEventListener('abort', notifier.notify)

  /** A first request, and one after a reload, wants the document itself. */
  function ask(): Promise<HttpResponse<string>> {
    const isConditional = why === null && etag !== null
    return client.text(path, {
      signal: AbortSignal.any([signal, asking.signal]),
      timeoutMs: timeoutMs + (isConditional ? (waitMs ?? 0) : 0),
      accept: isConditional ? [200, 304] : [200],
      maxBytes,
      headers: {
        accept: 'application/json, application/yaml;q=0.9, */*;q=0.1',
        ...(isConditional && etag !== null ? { 'if-none-match': etag } : {}),
        ...(isConditional && waitMs !== null
          ? { prefer: `wait=${Math.ceil(waitMs / 1_000)}` }
          : {}),
      },
    })
  }

  /** Null: it is as before. */
  function read(response: HttpResponse<string>): DocumentReading | null {
    if (response.status === 304) return null
    const { etag: tag, 'content-type': type = '' } = response.headers
    etag = typeof tag === 'string' && tag.length <= 1_024 ? tag : null
    const next = hash('sha256', response.body, 'hex').slice(0, 16)
    if (next === digest && why === null) return null
    digest = next
    return reader.read(response.body, String(type))
  }

  function declare(reading: DocumentReading, at: number): Declaration | Unreadable {
    if (!reading.readable) return { readable: false, problems: reading.problems, changedAt: at }
    const { objects, problems, locate } = reading
    const list = { objects, problems, revision: digest }
    const declaration = mirror.declare(list, why ?? 'polled', at)
    return locate === undefined ? declaration : { ...declaration, locate }
  }

  function pauseMs(startedAt: number, isChanged: boolean): number {
    const wasHeld = waitMs !== null && (isChanged || now() - startedAt >= waitMs / 2)
    if (wasHeld) return MIN_GAP_MS
    return startedAt + intervalMs * (0.9 + random() * 0.2) - now()
  }

  try {
    while (!signal.aborted) {
      asking = new AbortController()
      const startedAt = now()
      let response: HttpResponse<string>
      try {
        response = await ask()
      } catch (error) {
        if (asking.signal.aborted && !signal.aborted) continue
        throw error
      }
      const reading = read(response)
      if (reading !== null) {
        if (!reading.readable && why === 'first') throw toFailure(place, reading)
        const declaration = declare(reading, now())
        why = null
        yield declaration
      }
      const ms = pauseMs(startedAt, reading !== null)
      if (why === null && ms > 0) await notifier.wait(ms)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    reloads.delete(reload)
    signal.removeEventListener('abort', notifier.notify)
    client.close()
  }
}

function toFailure(place: string, { problems }: DocumentReading): HttpFailure {
  const reasons = problems.slice(0, 3).map(({ message }) => message)
  return new HttpFailure(`cannot read the document at ${place}: ${reasons.join('; ')}`, 200)
}
