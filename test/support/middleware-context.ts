/**
 * What a middleware is given, without a gateway: requests as an exchange holds them, a context whose end the test
 * decides, and the scoreboard as several serving threads see it.
 */
import type { LocalResponse } from '../../src/http/message/local-response.ts'
import { type ClientSide, type ConnectedPeer, Exchange } from '../../src/http/exchange.ts'
import { RequestHead } from '../../src/http/message/request-head.ts'
import type {
  Middleware,
  MiddlewareContext,
  ExchangeOutcome,
  CompileContext,
  MiddlewareDecision,
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
  const to = { authority: host, host, path, query, target, ambiguous: null }
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

const PEER: ConnectedPeer = { addresses: { source: null, destination: null }, pinned: null }

// A middleware has no business with the client's side, but for what is known of its connection.
const noClient = new Proxy({} as ClientSide, {
  get(_client, member): ConnectedPeer {
    if (member === 'clientPeer') return PEER
    throw new Error(`a middleware asked for the client's ${String(member)}`)
  },
})

export interface ScriptedContext extends MiddlewareContext {
  /** What was decided after `pending`, once. */
  readonly decided: MiddlewareDecision | undefined
  /** Ends it, once: by a 200 after 10 ms where nothing else is said. */
  end(how?: Partial<ExchangeOutcome>): void
}

/** `onDecided`: what the gateway does then, such as to end it. */
export function createMiddlewareContext(
  onDecided?: (context: ScriptedContext) => void,
): ScriptedContext {
  const calls: ((end: ExchangeOutcome) => void)[] = []
  let decided: MiddlewareDecision | undefined
  let ended: ExchangeOutcome | null = null
  const context: ScriptedContext = {
    get isOver() {
      return ended !== null
    },
    get decided() {
      return decided
    },
    onEnd(call) {
      if (ended === null) calls.push(call)
      else call(ended)
    },
    resume(decision) {
      if (ended !== null) return
      if (decided !== undefined) throw new Error('a middleware decided twice')
      decided = decision
      onDecided?.(context)
    },
    fault(error) {
      throw error
    },
    end(how = {}) {
      if (ended !== null) throw new Error('an exchange ends once')
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
  return context
}

/** What the middleware says to a request. */
export function ask(
  middleware: Middleware,
  exchange: Exchange,
  context: MiddlewareContext,
): MiddlewareDecision | 'pending' {
  if (middleware.onRequest === undefined) throw new Error('it does not look at requests')
  return middleware.onRequest(exchange, context)
}

/** The local response that this is, to be looked at. */
export function localResponse(decision: MiddlewareDecision | 'pending' | undefined): LocalResponse {
  if (typeof decision !== 'object' || decision === null || !('status' in decision))
    throw new Error(`not a response: ${JSON.stringify(decision)}`)
  return decision
}

export interface Threads {
  readonly scoreboard: Scoreboard
  /** One slot and one table for all of them. */
  readonly slot: number
  readonly table: number
  /** As a middleware is given them in each thread. */
  readonly compileContexts: readonly CompileContext[]
}

/** Serving threads that count in one scoreboard. `now` is the board's clock. */
export function openThreads(count: number, now: () => number): Threads {
  const scoreboard = new Scoreboard(count, 0)
  const slot = scoreboard.allocate()
  const table = scoreboard.allocateTable()
  const compileContexts = Array.from({ length: count }, (_, thread) => {
    const view = new ScoreboardView(scoreboard.memory(), thread)
    return {
      frontend: 'shop',
      slot: view.slot(slot),
      table: view.table(table),
      now,
      seed: 4711,
      onNotice: () => {},
    }
  })
  return { scoreboard, slot, table, compileContexts }
}
