// The tables of vulcand's middlewares and failover predicate, see test/support/vulcand-tables.ts.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { validateObject } from '../../src/control/admission/validate-object.ts'
import { compileKey } from '../../src/middleware/key.ts'
import { parseCondition } from '../../src/policy/breaking/condition.ts'
import { isCounted, type ResponseCounter } from '../../src/policy/breaking/response-counters.ts'
import { parseLimitKey } from '../../src/policy/limiting/limit-key.ts'
import { parseRetryPredicate } from '../../src/policy/retrying/retry-predicate.ts'
import { createMirror } from '../../src/providers/registry/mirror.ts'
import { createLayout } from '../support/layouts.ts'
import { requestOf } from '../support/middleware-context.ts'
import {
  CONDITIONS,
  MIDDLEWARES,
  PREDICATES,
  REFUSED_CONDITIONS,
  REFUSED_PREDICATES,
  REFUSED_VARIABLES,
  RESPONSES,
  VARIABLES,
} from '../support/vulcand-tables.ts'

test('a failover predicate means what it means in vulcand', () => {
  for (const [text, attempt, wanted] of PREDICATES) {
    const parsed = parseRetryPredicate(text)
    assert.ok(parsed.ok, text)
    assert.equal(parsed.predicate(attempt), wanted, `${text} after ${JSON.stringify(attempt)}`)
  }
  for (const text of REFUSED_PREDICATES) assert.ok(!parseRetryPredicate(text).ok, text)
})

test('a condition of a breaker means what it means in vulcand', () => {
  for (const [text, wanted] of CONDITIONS) {
    const parsed = parseCondition(text)
    assert.ok(parsed.ok, `${text}: ${parsed.ok ? '' : parsed.message}`)
    const { counters, holds } = parsed.condition
    const counts = counters.map((counter) => countOf(counter))
    assert.equal(
      holds((at) => counts[at] ?? 0),
      wanted,
      text,
    )
  }
  for (const text of REFUSED_CONDITIONS) assert.ok(!parseCondition(text).ok, text)
})

test('limits count by the variables of vulcand', () => {
  for (const [text, form, wanted] of VARIABLES)
    assert.equal(compileKey(text)(requestOf(form)), wanted, text)
  for (const text of REFUSED_VARIABLES) assert.ok(!parseLimitKey(text).ok, text)
})

test('what vulcand takes is in force, and what it refuses is not', () => {
  for (const [type, members, isTaken] of MIDDLEWARES) {
    const path = 'frontends/f/middlewares/m'
    const mirror = createMirror(createLayout('vulcand', { sealKey: null }))
    const text = JSON.stringify({ Id: 'm', Type: type, Priority: 1, Middleware: members })
    mirror.replace([{ path, key: `/vulcand/${path}`, text }])
    const [object] = mirror.declare({ revision: '', listed: 'first', changedAt: 0 }).objects
    assert.ok(object)
    const refused = object.fault ?? validateObject(object.kind, object.id, object.value, String)
    assert.equal(refused === null, isTaken, `${type} ${text}: ${refused}`)
  }
})

function countOf(counter: ResponseCounter): number {
  const counted = Object.entries(RESPONSES).filter(([status]) =>
    isCounted(counter, Number(status), 1),
  )
  return counted.reduce((sum, [, count]) => sum + count, 0)
}
