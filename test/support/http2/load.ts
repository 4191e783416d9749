/** Load by node:http2: some sessions, each with some requests in flight at a time, until the gateway says goodbye or it is stopped. */
import { type ClientHttp2Session, connect, constants } from 'node:http2'
import type { TestContext } from 'node:test'
import { createWatch } from '../until.ts'

export interface Http2LoadOptions {
  readonly port: number
  readonly sessions: number
  /** Requests in flight of each session. */
  readonly streams: number
  readonly path?: string
  /** Of each stream between a response and the next request. */
  readonly pauseMs?: number
}

export interface Http2LoadReport {
  readonly answered: number
  /** By status. */
  readonly statuses: Readonly<Record<string, number>>
  readonly failures: readonly string[]
  /** Requests that never left the client: nghttp2 sends no head that it still has when a GOAWAY comes. */
  readonly unsent: number
  /** Sessions that got a GOAWAY. */
  readonly goodbyes: number
}

export interface Http2Load {
  /** Resolves after so many more responses. */
  more(count: number): Promise<void>
  /** Sends no new requests; those in flight end. */
  stop(): Promise<Http2LoadReport>
  /** When a session has got a GOAWAY, or it is stopped. */
  goodbye(): Promise<void>
  /** When every session has ended by a GOAWAY. */
  ended(): Promise<Http2LoadReport>
}

export function startHttp2Load(t: TestContext, options: Http2LoadOptions): Http2Load {
  const { port, sessions: count, streams, path = '/', pauseMs = 0 } = options
  const watch = createWatch()
  const statuses: Record<string, number> = {}
  const failures: string[] = []
  let answered = 0
  let unsent = 0
  const goodbyes = new Set<ClientHttp2Session>()
  let open = 0
  let isStopped = false
  const sessions = Array.from({ length: count }, () => connect(`http://127.0.0.1:${port}`))
  t.after(() => sessions.forEach((session) => session.destroy()))

  function ask(session: ClientHttp2Session): void {
    if (isStopped || session.closed || session.destroyed) return
    const stream = session.request({ ':path': path })
    open++
    let status = 0
    stream.on('response', (headers) => (status = headers[':status'] ?? 0))
    let isUnsent = false
    // The head was not sent; a refusal by the gateway has no such event.
    stream.on('frameError', () => (isUnsent = true))
    stream.on('error', () => {})
    stream.on('data', () => {})
    stream.on('close', () => {
      open--
      if (isUnsent && goodbyes.has(session)) {
        unsent++
        watch.changed()
        return
      }
      if (stream.rstCode !== constants.NGHTTP2_NO_ERROR)
        failures.push(`reset ${stream.rstCode}: ${stream.errored?.message}`)
      else if (status === 0) failures.push('no response')
      answered++
      statuses[status] = (statuses[status] ?? 0) + 1
      watch.changed()
      if (pauseMs === 0) setImmediate(ask, session)
      else setTimeout(ask, pauseMs, session)
    })
  }

  for (const session of sessions) {
    session.on('goaway', () => {
      goodbyes.add(session)
      watch.changed()
    })
    session.on('error', (error) => failures.push(`session: ${error.message}`))
    session.on('close', () => watch.changed())
    for (let at = 0; at < streams; at++) ask(session)
  }

  const report = (): Http2LoadReport => ({
    answered,
    statuses,
    failures,
    unsent,
    goodbyes: goodbyes.size,
  })
  return {
    async more(more) {
      const until = answered + more
      await watch.until(() => answered >= until || failures.length > 0, `${more} more responses`)
    },
    async stop() {
      isStopped = true
      await watch.until(() => open === 0, 'the end of the requests in flight')
      return report()
    },
    async goodbye() {
      for (const session of sessions) {
        if (goodbyes.has(session) || session.destroyed) return
      }
      await Promise.race(
        sessions.map(
          (session) => new Promise<void>((resolve) => session.once('close', () => resolve())),
        ),
      )
    },
    async ended() {
      await watch.until(
        () => sessions.every(({ destroyed }) => destroyed),
        'the end of all sessions',
      )
      return report()
    },
  }
}
