/** A frontend, live: what happens to the requests that match it. */
import type { AnswerHead } from '../http/answer-head.ts'
import type { OwnAnswer } from '../http/answer.ts'
import type { Exchange } from '../http/exchange.ts'
import { compileMiddleware } from '../middleware/catalog.ts'
import type { Frontend } from '../model/snapshot.ts'
import type { Slot } from '../scoreboard/scoreboard.ts'
import type { Pool } from '../upstream/pool.ts'

export interface Route {
  readonly id: string
  readonly slot: Slot
  /** Null when a middleware always answers. */
  readonly pool: Pool | null
  readonly passHost: boolean
  /** Null when there are none: then a request pays nothing for them. */
  readonly onRequest: ((exchange: Exchange) => OwnAnswer | null) | null
  readonly onAnswer: ((exchange: Exchange, head: AnswerHead) => void) | null
}

export function compileRoute(frontend: Frontend, slot: Slot, pool: Pool | null): Route {
  const { id, passHost, middlewares } = frontend
  if (middlewares.length === 0) return { id, slot, pool, passHost, onRequest: null, onAnswer: null }
  const chain = middlewares.map(compileMiddleware)
  const inward = chain.flatMap(({ onRequest }) => onRequest ?? [])
  const outward = chain.flatMap(({ onAnswer }) => onAnswer ?? []).reverse()
  return {
    id,
    slot,
    pool,
    passHost,
    onRequest: inward.length === 0 ? null : (exchange) => firstAnswer(inward, exchange),
    onAnswer:
      outward.length === 0
        ? null
        : (exchange, head) => {
            for (const edit of outward) edit(exchange, head)
          },
  }
}

function firstAnswer(
  chain: readonly ((exchange: Exchange) => OwnAnswer | null)[],
  exchange: Exchange,
): OwnAnswer | null {
  for (const look of chain) {
    const answer = look(exchange)
    if (answer !== null) return answer
  }
  return null
}
