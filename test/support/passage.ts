/**
 * What a middleware is given, without a gateway: requests as they would stand in an exchange, a passage whose end the test
 * decides, and the scoreboard as several serving threads see it.
 */
import type { OwnAnswer } from '../../src/http/answer.ts'
import { Exchange, type ClientSide } from '../../src/http/exchange.ts'
import { RequestHead } from '../../src/http/request-head.ts'
import type {
  Divert,
  Middleware,
  Passage,
  PassageEnd,
  Surroundings,
  Verdict,
} from '../../src/middleware/middleware.ts'
import { Scoreboard, ScoreboardView } from '../../src/scoreboard/scoreboard.ts'

export interface RequestForm {
  readonly method?: string
  readonly target?: string
  readonly host?: string
  readonly clientIp?: string
  readonly fields?: Readonly<Record<string, string>>
  /** Announced bytes of a body, or a chunked one; none without it. */
  readonly body?: number | 'chunked'
}

/** A request that has just arrived from a client that takes no part in it. */
export function requestOf(form: RequestForm = {}): Exchange {
  const { method = 'GET', target = '/', host = 'shop.example', clientIp = '192.0.2.1' } = form
  const head = new RequestHead()
  head.method = method
  head.target = target
  head.host = host
  for (const [name, value] of Object.entries(form.fields ?? {}))
    head.fields += `${name}: ${value}\r\n`
  if (form.body === 'chunked') head.framing = 'chunked'
  else if (form.body !== undefined) {
    head.framing = 'length'
    head.length = form.body
  }
  const [path = '', query = ''] = target.split('?')
  const to = { authority: host, host, path, query, target, doubtful: null }
  return new Exchange(noClient, head, to, {
    scheme: 'http',
    clientScheme: 'http',
    listener: 'web',
    peerIp: clientIp,
    peerPort: 40_000,
    clientIp,
    startedAt: performance.now(),
    hostLine: '',
    added: '',
    requestId: 'request',
  })
}

// A middleware has no business with the client's side.
const noClient = new Proxy({} as ClientSide, {
  get(_client, member): never {
    throw new Error(`a middleware asked for the client's ${String(member)}`)
  },
})

export interface ScriptedPassage extends Passage {
  /** What was decided after `later`, once. */
  readonly decided: OwnAnswer | Divert | null | undefined
  /** Ends it, once: by a 200 after 10 ms where nothing else is said. */
  end(how?: Partial<PassageEnd>): void
}

/** `onDecided`: what the gateway does then, such as to end it. */
export function createPassage(onDecided?: (passage: ScriptedPassage) => void): ScriptedPassage {
  const calls: ((end: PassageEnd) => void)[] = []
  let decided: OwnAnswer | Divert | null | undefined
  let ended: PassageEnd | null = null
  const passage: ScriptedPassage = {
    get isOver() {
      return ended !== null
    },
    get decided() {
      return decided
    },
    atEnd(call) {
      if (ended === null) calls.push(call)
      else call(ended)
    },
    goOn(verdict) {
      if (ended !== null) return
      if (decided !== undefined) throw new Error('a middleware decided twice')
      decided = verdict
      onDecided?.(passage)
    },
    fault(error) {
      throw error
    },
    end(how = {}) {
      if (ended !== null) throw new Error('a passage ends once')
      const headMs = how.headMs ?? 10
      ended = {
        status: 200,
        isClientsFault: false,
        headAt: performance.now() + headMs,
        headMs,
        ...how,
      }
      for (const call of calls.toReversed()) call(ended)
    },
  }
  return passage
}

/** What the middleware says to a request. */
export function ask(middleware: Middleware, exchange: Exchange, passage: Passage): Verdict {
  if (middleware.onRequest === undefined) throw new Error('it does not look at requests')
  return middleware.onRequest(exchange, passage)
}

/** The own answer that this is, to be looked at. */
export function ownAnswer(verdict: Verdict | undefined): OwnAnswer {
  if (typeof verdict !== 'object' || verdict === null || !('status' in verdict))
    throw new Error(`not an answer: ${JSON.stringify(verdict)}`)
  return verdict
}

export interface Threads {
  readonly scoreboard: Scoreboard
  /** One slot and one table for all of them. */
  readonly slot: number
  readonly table: number
  /** As a middleware is given them in each thread. */
  readonly surroundings: readonly Surroundings[]
}

/** Serving threads that count in one scoreboard. `now` is the board's clock. */
export function openThreads(count: number, now: () => number): Threads {
  const scoreboard = new Scoreboard(count, 0)
  const slot = scoreboard.allocate()
  const table = scoreboard.allocateTable()
  const surroundings = Array.from({ length: count }, (_, thread) => {
    const view = new ScoreboardView(scoreboard.memory(), thread)
    return { frontend: 'shop', slot: view.slot(slot), table: view.table(table), now, seed: 4711 }
  })
  return { scoreboard, slot, table, surroundings }
}
