/** Load on the voting app: votes of many voters, and the page of the results. Each voter votes once, so what must be stored is known. */
import type { TestContext } from 'node:test'
import { startLoad, type Load } from './load.ts'

export type Choice = 'a' | 'b'

export interface Votes {
  readonly load: Load
  /** What each voter has voted, of all requests that were sent. */
  readonly cast: ReadonlyMap<string, Choice>
  /** The instances that have responded since the last `forget`. */
  readonly instances: ReadonlySet<string>
  forget(): void
}

const CLIENTS = 5
/** Some 100 requests a second. */
const PAUSE_MS = 50
/** A vote waits for a Redis that is starting again, as a browser would. */
const PATIENCE_MS = 30_000
/** Every so many requests, one is for the result page. */
const RESULT_EVERY = 4

export function startVotes(t: TestContext, port: number): Votes {
  const cast = new Map<string, Choice>()
  const instances = new Set<string>()
  let sent = 0

  function nextRequest(): string {
    sent += 1
    if (sent % RESULT_EVERY === 0) return 'GET / HTTP/1.1\r\nHost: result.localhost\r\n\r\n'
    const voter = `voter-${String(sent).padStart(6, '0')}`
    const choice = sent % 3 === 0 ? 'b' : 'a'
    cast.set(voter, choice)
    const body = `vote=${choice}`
    return (
      `POST / HTTP/1.1\r\nHost: vote.localhost\r\nCookie: voter_id=${voter}\r\n` +
      `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    )
  }

  const load = startLoad(t, {
    port,
    clients: CLIENTS,
    pauseMs: PAUSE_MS,
    patienceMs: PATIENCE_MS,
    request: nextRequest,
    reconnects: true,
    onResponse({ fields }) {
      const found = fields.find(([name]) => name.toLowerCase() === 'x-instance')
      if (found !== undefined) instances.add(String(found[1]))
    },
  })
  return { load, cast, instances, forget: () => instances.clear() }
}
