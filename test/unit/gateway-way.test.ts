import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OwnAnswer } from '../../src/http/answer.ts'
import { Way, type WayOwner } from '../../src/gateway/way.ts'
import type { Middleware, Passage, Verdict } from '../../src/middleware/middleware.ts'
import { requestOf } from '../support/passage.ts'

type Step = NonNullable<Middleware['onRequest']>

const ANSWER: OwnAnswer = {
  status: 403,
  reason: 'RESPOND',
  detail: '',
  fields: '',
  contentType: '',
  body: Buffer.alloc(0),
}

interface Walk {
  readonly way: Way
  readonly seen: readonly string[]
  /** Whoever said `later`. */
  waiting(): Passage
}

function walk(verdicts: readonly Verdict[], atEnd: readonly string[] = []): Walk {
  const seen: string[] = []
  let waiting: Passage | null = null
  const chain = verdicts.map((verdict, at): Step => (_exchange, passage) => {
    seen.push(`asked ${at}`)
    const name = atEnd[at]
    if (name !== undefined) passage.atEnd(({ status }) => seen.push(`${name} ended ${status}`))
    if (verdict === 'later') waiting = passage
    return verdict
  })
  const owner: WayOwner = {
    forward: (backend, hasWaited) => {
      seen.push(`forward ${backend}${hasWaited ? ' late' : ''}`)
    },
    answer: ({ status }) => {
      seen.push(`answer ${status}`)
    },
    fault: (error) => {
      seen.push(`fault ${String(error)}`)
    },
  }
  const way = new Way(chain, requestOf(), owner)
  way.goIn()
  return {
    way,
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

test('an answer ends it there', () => {
  assert.deepEqual(walk([null, ANSWER, null]).seen, ['asked 0', 'asked 1', 'answer 403'])
})

test('one that is sent to another backend goes through those that are left, and the last one decides', () => {
  const { seen } = walk([{ divertTo: 'spare' }, null, { divertTo: 'other' }, null])

  assert.deepEqual(seen, ['asked 0', 'asked 1', 'asked 2', 'asked 3', 'forward other'])
})

test('one that waits goes on where it stood, with what was decided', () => {
  const { seen, waiting } = walk(['later', null])
  const before = [...seen]

  waiting().goOn({ divertTo: 'spare' })

  assert.deepEqual(before, ['asked 0'])
  assert.deepEqual(seen, ['asked 0', 'asked 1', 'forward spare late'])
})

test('a decision for one that is over changes nothing', () => {
  const { way, seen, waiting } = walk(['later', null])
  way.end()

  waiting().goOn(null)
  waiting().goOn(ANSWER)

  assert.deepEqual(seen, ['asked 0'])
})

test('everybody is told of the end once, the innermost first, and at once when it is over', () => {
  const { way, seen } = walk([null, null], ['outer', 'inner'])

  way.end()
  way.atEnd(() => (seen as string[]).push('late'))

  assert.deepEqual(seen.slice(3), ['inner ended 0', 'outer ended 0', 'late'])
})
