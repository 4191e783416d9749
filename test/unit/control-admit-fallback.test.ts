// Backends that middlewares name, and the expressions that need the grammars of the policies.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refuseObject } from '../../src/control/refuse-object.ts'
import { toShown } from '../../src/control/secrets.ts'
import type { Frontend } from '../../src/model/snapshot.ts'
import { backend, openAdmission } from '../support/declared.ts'
import type { Admitted } from '../support/declared.ts'

const b = backend('http://10.0.0.9:5001')
const spare = backend('http://10.0.0.9:5002')
const route = 'Host("vote")'
const condition = 'NetworkErrorRatio() > 0.5'
const breaker = { condition, fallback: { backend: 'spare' } }
const guarded = { route, backend: 'b', breaker }

function reasons({ setAside }: Admitted): string[] {
  return setAside.map(({ kind, id, message, serving }) => {
    return `${kind} ${id}: ${message}${serving ? ' (serving)' : ''}`
  })
}

function fallbackOf(frontend: Frontend | undefined): string | undefined {
  for (const { kind, options } of frontend?.middlewares ?? []) {
    if (kind === 'breaker') return (options as typeof breaker).fallback.backend
  }
  return undefined
}

test('a frontend with a fallback to an unknown backend is set aside until that comes', () => {
  const admission = openAdmission()
  const frontends = { vote: guarded }

  const without = admission.declare({ frontends, backends: { b } })
  const broken = admission.declare({ frontends, backends: { b, spare: { servers: 7 } } })
  const healed = admission.declare({ frontends, backends: { b, spare } })

  assert.deepEqual(reasons(without), [
    'frontend vote: breaker: fallback backend "spare" is not declared',
  ])
  assert.equal(without.snapshot.frontends.size, 0)
  assert.ok(
    reasons(broken).includes(
      'frontend vote: breaker: fallback backend "spare" is set aside itself',
    ),
  )
  assert.deepEqual(reasons(healed), [])
  assert.equal(fallbackOf(healed.snapshot.frontends.get('vote')), 'spare')
})

test('says of each backend that is missing', () => {
  const admitted = openAdmission().declare({ frontends: { vote: guarded } })

  assert.deepEqual(reasons(admitted), [
    'frontend vote: backend: "b" is not declared',
    'frontend vote: breaker: fallback backend "spare" is not declared',
  ])
})

test('keeps a withdrawn fallback as long as the last good version of a frontend needs it', () => {
  const admission = openAdmission()
  const frontends = { vote: guarded }
  const first = admission.declare({ backends: { b, spare }, frontends })

  const held = admission.declare({ backends: { b }, frontends })
  const released = admission.declare({ backends: { b }, frontends: {} })

  assert.deepEqual(held.snapshot, first.snapshot)
  assert.deepEqual(reasons(held), [
    'frontend vote: breaker: fallback backend "spare" is not declared (serving)',
  ])
  assert.deepEqual([...released.snapshot.backends.keys()], ['b'])
})

test('keeps the old version while a new fallback is not there', () => {
  const admission = openAdmission()
  admission.declare({ backends: { b, spare }, frontends: { vote: guarded } })

  const turned = { ...guarded, breaker: { condition, fallback: { backend: 'other' } } }
  const { snapshot } = admission.declare({ backends: { b, spare }, frontends: { vote: turned } })

  assert.equal(fallbackOf(snapshot.frontends.get('vote')), 'spare')
})

test('a fallback in the list of middlewares, without a backend beside it, is one, too', () => {
  const vote = { route, respond: { status: 204 }, middlewares: [{ kind: 'breaker', ...breaker }] }
  const admission = openAdmission()

  const without = admission.declare({ frontends: { vote } })
  const healed = admission.declare({ frontends: { vote }, backends: { spare } })

  assert.deepEqual(reasons(without), [
    'frontend vote: breaker: fallback backend "spare" is not declared',
  ])
  assert.deepEqual(reasons(healed), [])
})

test('a middleware under a name of its own waits for the backend that it names', () => {
  const admission = openAdmission()
  const frontends = { vote: { route, backend: 'b' } }
  const middlewares = { 'vote/guard': { kind: 'breaker', ...breaker } }

  const without = admission.declare({ backends: { b }, frontends, middlewares })
  const healed = admission.declare({ backends: { b, spare }, frontends, middlewares })
  const held = admission.declare({ backends: { b }, frontends, middlewares })
  const released = admission.declare({ backends: { b }, frontends, middlewares: {} })

  assert.deepEqual(reasons(without), [
    'middleware vote/guard: breaker: fallback backend "spare" is not declared',
  ])
  assert.deepEqual(without.snapshot.frontends.get('vote')?.middlewares, [])
  assert.deepEqual(reasons(healed), [])
  assert.equal(fallbackOf(healed.snapshot.frontends.get('vote')), 'spare')
  assert.deepEqual(reasons(held), [
    'middleware vote/guard: breaker: fallback backend "spare" is not declared (serving)',
  ])
  assert.deepEqual([...held.snapshot.backends.keys()].sort(), ['b', 'spare'])
  assert.deepEqual([...released.snapshot.backends.keys()], ['b'])
})

test("a fallback means its own source's backend, and may name another's", () => {
  const admission = openAdmission({}, ['file', 'redis'])
  const named = { ...guarded, breaker: { condition, fallback: { backend: 'spare@file' } } }

  admission.declare({ backends: { b, spare } })
  const { snapshot, setAside } = admission.declare(
    { backends: { spare: b }, frontends: { own: guarded, named } },
    'r1',
    'redis',
  )

  assert.deepEqual(setAside, [])
  assert.equal(fallbackOf(snapshot.frontends.get('own')), 'spare@redis')
  assert.equal(fallbackOf(snapshot.frontends.get('named')), 'spare')
})

test('an expression that is wrong is refused with the position', () => {
  const when = 'Attempts() < 2 && Bad()'
  const admitted = openAdmission().declare({
    backends: {
      condition: { ...b, breaker: { condition: 'NetworkErrorRatio() >' } },
      predicate: { ...b, retry: { when } },
      good: { ...b, breaker: { condition }, retry: { when: 'IsNetworkError()' } },
    },
    frontends: {
      predicate: { route, backend: 'good', retry: { when } },
      condition: { route, backend: 'good', breaker: { condition: 'Bad() > 1' } },
      good: { route, backend: 'good', retry: { when: 'IsNetworkError()' } },
    },
  })

  const [first, second, third, fourth] = reasons(admitted)
  assert.match(first ?? '', /^backend condition: breaker\.condition: .+ \(at character 22\)$/)
  assert.match(second ?? '', /^backend predicate: retry\.when: .+ \(at character 19\)$/)
  assert.match(third ?? '', /^frontend predicate: retry\.when: .+ \(at character 19\)$/)
  assert.match(fourth ?? '', /^frontend condition: breaker: .+ \(at character 1\)$/)
  assert.deepEqual([...admitted.snapshot.frontends.keys()], ['good'])
  assert.deepEqual([...admitted.snapshot.backends.keys()], ['good'])
})

test('an expression that is wrong is refused before it is written to a registry', () => {
  const refuse = (value: object): string | null => refuseObject('backend', 'b', value, String)

  assert.match(refuse({ retry: { when: '(' } }) ?? '', /^retry\.when: .+ \(at character \d+\)$/)
  assert.equal(refuse({ retry: { when: 'IsNetworkError()' } }), null)
})

test('secrets of cookies, probes, hooks and limiters are not shown', () => {
  const admission = openAdmission()
  const hook = { url: 'http://hooks.example/x', headers: { Authorization: 'Bearer hooked' } }
  const redis = { url: 'redis://user:pass-word@10.0.0.7:6379' }
  const limit = { requests: 10, redis }
  admission.declare({
    backends: {
      b: {
        ...b,
        sticky: { secret: 'cookie-secret-of-a-backend' },
        health: { headers: { Authorization: 'Basic probed' } },
        breaker: { condition, onTripped: hook },
      },
    },
    frontends: {
      vote: { route, backend: 'b', ratelimit: limit, breaker: { condition, onStandby: hook } },
    },
    middlewares: { 'vote/limit': { kind: 'ratelimit', ...limit } },
  })

  const shown = [...admission.inForce()].map(toShown)
  const text = JSON.stringify(shown)

  assert.deepEqual(admission.setAside(), [])
  assert.doesNotMatch(text, /cookie-secret|probed|hooked|pass-word/)
  assert.match(text, /redis:\/\/user:\(hidden\)@10\.0\.0\.7:6379/)
  assert.match(text, /"secret":"\(hidden\)"/)
})
