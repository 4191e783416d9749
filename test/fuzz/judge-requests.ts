/**
 * The most important invariant of a proxy: whatever bytes a client sends, what the server's parser understands is exactly
 * what we logged as forwarded, one for one and in order, and what Node's parser makes of the client's bytes themselves.
 */
import { METHODS } from 'node:http'
import type { TestContext } from 'node:test'
import type { AccessRecord } from '../../src/observe/access-record.ts'
import { connectClient, type Client } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { turn } from '../support/until.ts'
import {
  FRAMING_TRAILER,
  TAB_BEHIND_CODING,
  startNodeView,
  type NodeView,
  type Seen,
} from './node-view.ts'

export interface RequestJudge {
  /** Throws a sentence that says what disagrees. */
  judge(pieces: readonly string[], isWellFormed: boolean): Promise<void>
  /** How often each explained difference was met. */
  readonly explained: Map<string, number>
}

/**
 * Where Node's parser refuses bytes that we take and send on in a form that it takes, or that no parser of a fixed list of
 * methods can take. Everything that is not in this list is a disagreement.
 */
const EXPLAINED: readonly {
  readonly name: string
  applies(record: AccessRecord, bytes: string): boolean
}[] = [
  {
    // RFC 9110 9.1: the list of methods is open; llhttp's is closed.
    name: 'a method that llhttp does not know',
    applies: (record) => !METHODS.includes(record.method),
  },
  {
    // RFC 9110 6.5.1: we leave such trailers out, llhttp refuses the request.
    name: 'a trailer of framing',
    applies: (_record, bytes) => FRAMING_TRAILER.test(bytes),
  },
  {
    // RFC 9112 7.1.1: an extension that nobody knows is ignored, and never sent on; llhttp checks its grammar.
    name: 'a chunk extension that is odd',
    applies: (_record, bytes) => /\n[\da-f]+;/i.test(bytes),
  },
  {
    // RFC 9110 5.6.3: a tab behind a value is white space; llhttp takes it for a part of the coding.
    name: 'a tab behind the coding',
    applies: (_record, bytes) => TAB_BEHIND_CODING.test(bytes),
  },
  {
    // RFC 9110 7.8: an upgrade that nobody takes is ignored, and what follows is the next request; llhttp reads no further.
    name: 'a request behind an upgrade that is not taken',
    applies: (_record, bytes) =>
      /\r\nupgrade:/i.test(bytes) && /\r\nconnection:[^\r\n]*upgrade/i.test(bytes),
  },
  {
    // RFC 9110 2.5: a higher minor version is answered as the highest that is known; llhttp knows 0.9, 1.0, 1.1 and 2.0.
    name: 'a minor version over 1',
    applies: (record, bytes) =>
      [...'23456789'].some((digit) => bytes.includes(`${record.target} HTTP/1.${digit}`)),
  },
]

const PING = 'GET /ping HTTP/1.1\r\nHost: ping.test\r\n\r\n'

export async function startRequestJudge(t: TestContext): Promise<RequestJudge> {
  const origin = await startNodeView(t)
  const oracle = await startNodeView(t)
  // A mutated request line may be the preface of HTTP/2.
  const gateway = await startGateway(t, {
    origin: origin.port,
    listener: { http2: { enabled: false } },
  })
  const pinging = await connectClient(gateway.port)
  t.after(() => pinging.socket.destroy())
  const explained = new Map<string, number>()
  let read = 0

  return {
    explained,
    async judge(pieces, isWellFormed) {
      origin.forget()
      oracle.forget()
      read = gateway.records().length

      await sendDirect(oracle, pieces)
      const answered = await sendThrough(gateway, pinging, oracle, pieces)
      await ping(pinging)
      await ping(pinging)

      const records = gateway
        .records()
        .slice(read)
        .filter(({ target, host }) => target !== '/ping' || host !== 'ping.test')
      const seen = origin.seen.filter(({ target }) => target !== '/ping')
      if (isWellFormed) assertAccepted(oracle.seen, seen, answered)
      compare(pieces.join(''), { records, seen, direct: oracle.seen, faults: origin.faults })
    },
  }

  function compare(bytes: string, views: Views): void {
    const { seen, direct } = views
    const faults = views.faults.filter((code) => !isOnlyCut(code))
    let at = 0
    let isOracleLost = false
    // A refusal closes the connection, so what is forwarded are the first requests; the log may have the refusal earlier.
    const forwarded = views.records.filter(({ server }) => server !== '')
    forwarded.forEach((record, index) => {
      const reason = EXPLAINED.find(({ applies }) => applies(record, bytes))?.name
      const theirs = direct[index]
      const arrived = seen[at]
      if (arrived === undefined || arrived.method !== record.method) {
        // Given up before a byte of it was sent.
        const isGivenUp = record.reason === 'CLIENT_GONE' || record.reason === 'BAD_CHUNK'
        if (isGivenUp && (reason === undefined || faults.length === 0)) return
        if (reason === undefined)
          fail(`record ${index} says forwarded, the origin did not see it`, views)
        count(reason)
        faults.shift()
        isOracleLost = true
        return
      }
      at++
      // Node's parser stops at the first request that it refuses; what is behind it can only be compared with our log.
      if (isOracleLost) return
      if (theirs === undefined || theirs.method !== record.method) {
        if (reason === undefined)
          fail(`request ${index} is forwarded, Node's parser reads another`, views)
        count(reason)
        isOracleLost = true
        return
      }
      if (arrived.target !== originForm(theirs.target)) fail(`target ${index} differs`, views)
      if (!arrived.isComplete) {
        if (record.status === 200 && record.reason === null) {
          fail(`request ${index} was answered and never complete`, views)
        }
        return
      }
      if (!arrived.body.startsWith(theirs.body)) fail(`body ${index} differs`, views)
      if (theirs.isComplete && theirs.body !== arrived.body) fail(`body ${index} differs`, views)
      if (!theirs.isComplete) {
        if (reason === undefined) fail(`request ${index} is whole for us alone`, views)
        count(reason)
      }
    })
    if (at !== seen.length) fail('the origin saw requests that were not logged as forwarded', views)
    if (faults.length > 0)
      fail(`the origin could not parse what it was sent: ${faults.join()}`, views)
  }

  function count(reason: string): void {
    explained.set(reason, (explained.get(reason) ?? 0) + 1)
  }
}

interface Views {
  readonly records: readonly AccessRecord[]
  readonly seen: readonly Seen[]
  readonly direct: readonly Seen[]
  readonly faults: readonly string[]
}

function fail(what: string, views: Views): never {
  const records = views.records.map(({ method, target, status, reason, server, detail }) => ({
    ...{ method, target, status, reason, detail, isForwarded: server !== '' },
  }))
  throw new Error(`${what}: ${JSON.stringify({ ...views, records }, null, 1)}`)
}

/** A request that was cut is an error for the origin's parser too, but no other request. */
function isOnlyCut(code: string): boolean {
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'HPE_INVALID_EOF_STATE'
}

/** The target as it must be sent on: without its authority, and with its path in one spelling (RFC 3986 6.2.2.2). */
function originForm(target: string): string {
  const match = /^https?:\/\/[^/?]*(.*)$/i.exec(target)
  const [path = '', ...query] = (match === null ? target : (match[1] ?? '')).split(/(?=\?)/)
  const spelled = path.replace(/%[\da-f]{2}/gi, (escape) => {
    const plain = String.fromCharCode(parseInt(escape.slice(1), 16))
    return /[\w.~-]/.test(plain) ? plain : escape
  })
  return (match === null || spelled.startsWith('/') ? spelled : `/${spelled}`) + query.join('')
}

function assertAccepted(direct: readonly Seen[], seen: readonly Seen[], responses: number): void {
  if (seen.length !== direct.length || responses !== direct.length) {
    throw new Error(
      `${direct.length} well-formed requests, ${seen.length} forwarded, ${responses} answers: ` +
        JSON.stringify({ direct, seen }, null, 1),
    )
  }
}

/** An ordinary exchange: what was ready before it has happened when it is over. */
async function ping(client: Client): Promise<void> {
  const response = await client.ask(PING)
  if (response.status !== 200) throw new Error(`the ping got ${response.head}`)
}

async function sendDirect(oracle: NodeView, pieces: readonly string[]): Promise<void> {
  const client = await connectClient(oracle.port)
  client.socket.resume()
  await client.sendPieces(pieces)
  client.end()
  await client.closed()
  await turn()
  client.socket.destroy()
}

/** Sends the pieces, reads answers for as long as something happens, then leaves; how many 2xx there were. */
async function sendThrough(
  gateway: TestGateway,
  pinging: Client,
  oracle: NodeView,
  pieces: readonly string[],
): Promise<number> {
  const client = await connectClient(gateway.port)
  await client.sendPieces(pieces)
  let answered = 0
  let last = -1
  for (let still = 0; still < 3 && client.ending() === null;) {
    answered += countResponses(client)
    if (answered === oracle.seen.length && oracle.faults.length === 0) break
    still = client.received() === last ? still + 1 : 0
    last = client.received()
    await ping(pinging)
  }
  client.end()
  await client.closed()
  answered += countResponses(client)
  const rest = client.rest()
  client.socket.destroy()
  if (rest !== '' && client.ending() === 'fin') {
    throw new Error(`a clean end behind half a response: ${JSON.stringify(rest)}`)
  }
  return answered
}

function countResponses(client: Client): number {
  let count = 0
  for (let next = client.poll(); next !== null; next = client.poll()) {
    if (Number(next.line.slice(9, 12)) === 200) count++
  }
  return count
}
