import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LocalResponse } from '../../src/http/message/local-response.ts'
import { MiddlewareChain, type ChainOwner } from '../../src/gateway/middleware-chain.ts'
import type {
  Middleware,
  MiddlewareContext,
  MiddlewareDecision,
} from '../../src/middleware/middleware.ts'
import { requestOf } from '../support/middleware-context.ts'

type Step = NonNullable<Middleware['onRequest']>

const ANSWER: LocalResponse = {
  status: 403,
  reason: 'RESPOND',
  detail: '',
  fields: '',
  contentType: '',
  body: Buffer.alloc(0),
}

interface Walk {
  readonly middlewares: MiddlewareChain
  readonly seen: readonly string[]
  /** The context of the middleware that returned `pending`. */
  waiting(): MiddlewareContext
}

function walk(
  decisions: readonly (MiddlewareDecision | 'pending')[],
  onEnd: readonly string[] = [],
): Walk {
  const seen: string[] = []
  let waiting: MiddlewareContext | null = null
  const chain = decisions.map((decision, at): Step => (_exchange, context) => {
    seen.push(`asked ${at}`)
    const name = onEnd[at]
    if (name !== undefined) context.onEnd(({ status }) => seen.push(`${name} ended ${status}`))
    if (decision === 'pending') waiting = context
    return decision
  })
  const owner: ChainOwner = {
    forward: (backend, hasWaited) => {
      seen.push(`forward ${backend}${hasWaited ? ' late' : ''}`)
    },
    respond: ({ status }) => {
      seen.push(`answer ${status}`)
    },
    fault: (error) => {
      seen.push(`fault ${String(error)}`)
    },
  }
  const middlewares = new MiddlewareChain(chain, requestOf(), owner)
  middlewares.run()
  return {
    middlewares,
    seen,
    waiting() {
      assert.ok(waiting !== null)
      return waiting
    },
  }
}

test('a request goes through all middlewares to its backend', () => {
  assert.deepEqual(walk([null, null]).seen, ['asked 0', 'asked 1', 'forward null'])
})

test('a local response ends it there', () => {
  assert.deepEqual(walk([null, ANSWER, null]).seen, ['asked 0', 'asked 1', 'answer 403'])
})

test('a request for another backend goes through the remaining middlewares, and the last one decides', () => {
  const { seen } = walk([{ useBackend: 'spare' }, null, { useBackend: 'other' }, null])

  assert.deepEqual(seen, ['asked 0', 'asked 1', 'asked 2', 'asked 3', 'forward other'])
})

test('a pending request continues after its middleware, with what was decided', () => {
  const { seen, waiting } = walk(['pending', null])
  const before = [...seen]

  waiting().resume({ useBackend: 'spare' })

  assert.deepEqual(before, ['asked 0'])
  assert.deepEqual(seen, ['asked 0', 'asked 1', 'forward spare late'])
})

test('a decision for one that is over changes nothing', () => {
  const { middlewares, seen, waiting } = walk(['pending', null])
  middlewares.end()

  waiting().resume(null)
  waiting().resume(ANSWER)

  assert.deepEqual(seen, ['asked 0'])
})

test('every end listener is called once, the innermost first, and at once when it is over', () => {
  const { middlewares, seen } = walk([null, null], ['outer', 'inner'])

  middlewares.end()
  middlewares.onEnd(() => (seen as string[]).push('late'))

  assert.deepEqual(seen.slice(3), ['inner ended 0', 'outer ended 0', 'late'])
})
