// Backends that middlewares name, and the expressions that need the grammars of the policies.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { validateObject } from '../../src/control/admission/validate-object.ts'
import { redact } from '../../src/control/redact.ts'
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
  const refuse = (value: object): string | null => validateObject('backend', 'b', value, String)

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

  const shown = [...admission.inForce()].map(redact)
  const text = JSON.stringify(shown)

  assert.deepEqual(admission.setAside(), [])
  assert.doesNotMatch(text, /cookie-secret|probed|hooked|pass-word/)
  assert.match(text, /redis:\/\/user:\(hidden\)@10\.0\.0\.7:6379/)
  assert.match(text, /"secret":"\(hidden\)"/)
})

test('a number that came from a reference is not shown, and one that only has its digits is', () => {
  const admission = openAdmission()
  const servers = { s: { url: 'http://10.0.0.1:6553', weight: 655 } }
  admission.declare({ backends: { b: { servers, limits: { idle: 6553 } } } })
  const [version] = admission.inForce()
  assert.ok(version !== undefined)

  const shown = redact({ ...version, declared: { ...version.declared, secrets: ['6553'] } })

  assert.match(JSON.stringify(shown), /"idle":"\(hidden\)"/)
  assert.match(JSON.stringify(shown), /"url":"http:\/\/10\.0\.0\.1:\(hidden\)".*"weight":655\b/)
})

test('of hooks and probes only names and hosts are shown', () => {
  const admission = openAdmission()
  const hooks = {
    onTripped: {
      url: 'https://chat.example:8443/services/s3cret?key=s3cret',
      headers: { 'X-Auth-Token': ['s3cret', 's3cret'], Cookie: 's3cret' },
      form: { token: 's3cret' },
    },
    onStandby: { url: 'http://pager.example/', method: 'PUT', body: 's3cret' },
  }
  const headers = { 'X-Vault-Token': 's3cret', Cookie: 's3cret' }
  const guard = { condition, ...hooks }
  admission.declare({
    backends: { b: { ...b, health: { path: '/healthz', headers }, breaker: guard } },
    frontends: { vote: { route, backend: 'b', breaker: guard } },
    middlewares: { 'vote/guard': { kind: 'breaker', ...guard } },
  })

  const shown = [...admission.inForce()].map((version) => redact(version))

  assert.deepEqual(admission.setAside(), [])
  assert.doesNotMatch(JSON.stringify(shown), /s3cret/)
  const of = (wanted: string): unknown => shown.find(({ kind }) => kind === wanted)?.object
  const { health, breaker: own } = of('backend') as {
    health: { http: { path: string; headers: object } }
    breaker: object
  }
  assert.deepEqual(health.http.headers, { 'X-Vault-Token': '(hidden)', Cookie: '(hidden)' })
  assert.equal(health.http.path, '/healthz')
  const { middlewares } = of('frontend') as { middlewares: readonly { options: object }[] }
  const { spec } = of('middleware') as { spec: { options: object } }
  // The part stands in its frontend, too.
  const all = [own, ...middlewares.map(({ options }) => options), spec.options]
  assert.equal(all.length, 4)
  for (const one of all) {
    const { onTripped, onStandby } = one as { onTripped: object; onStandby: object }
    assert.deepEqual(onTripped, {
      url: 'https://chat.example:8443/(hidden)',
      method: 'POST',
      headers: {
        'X-Auth-Token': ['(hidden)', '(hidden)'],
        Cookie: ['(hidden)'],
        'Content-Type': ['(hidden)'],
      },
      body: '(hidden)',
    })
    assert.deepEqual(onStandby, {
      url: 'http://pager.example/',
      method: 'PUT',
      headers: {},
      body: '(hidden)',
    })
  }
})

const selfless = 'the fallback is the frontend\'s own backend "b"; name another one'

test("a fallback to the frontend's own backend is refused, and the last good version stays", () => {
  const admission = openAdmission()
  const backends = { b, spare }
  const turned = { ...guarded, breaker: { condition, fallback: { backend: 'b' } } }

  const first = admission.declare({ backends, frontends: { vote: turned } })
  const good = admission.declare({ backends, frontends: { vote: guarded } })
  const kept = admission.declare({ backends, frontends: { vote: turned } })

  assert.deepEqual(reasons(first), [`frontend vote: breaker: ${selfless}`])
  assert.equal(first.snapshot.frontends.size, 0)
  assert.deepEqual(reasons(good), [])
  assert.deepEqual(reasons(kept), [`frontend vote: breaker: ${selfless} (serving)`])
  assert.equal(fallbackOf(kept.snapshot.frontends.get('vote')), 'spare')
})

test('two names of one backend are one, and the same name in two sources is not', () => {
  const admission = openAdmission({}, ['file', 'redis'])
  const to = (name: string): object => ({
    route,
    backend: 'b',
    breaker: { condition, fallback: { backend: name } },
  })
  admission.declare({ backends: { b } })

  const { setAside } = admission.declare(
    { frontends: { same: to('b@file') }, backends: {} },
    'r1',
    'redis',
  )
  const { snapshot, setAside: left } = admission.declare(
    { frontends: { other: to('b@file') }, backends: { b: spare } },
    'r2',
    'redis',
  )

  assert.deepEqual(
    setAside.map(({ message }) => message),
    [`breaker: ${selfless}`],
  )
  assert.deepEqual(left, [])
  assert.equal(fallbackOf(snapshot.frontends.get('other')), 'b')
})

test("a middleware under a name of its own may not fall back to its frontend's backend, either", () => {
  const admission = openAdmission()
  const backends = { b, spare }
  const frontends = { vote: { route, backend: 'b' } }
  const part = (name: string): object => ({
    'vote/guard': { kind: 'breaker', condition, fallback: { backend: name } },
  })

  const early = admission.declare({ backends, middlewares: { ...part('b') } })
  const late = admission.declare({ backends, frontends, middlewares: { ...part('b') } })
  const good = admission.declare({ backends, frontends, middlewares: { ...part('spare') } })
  const kept = admission.declare({ backends, frontends, middlewares: { ...part('b') } })

  assert.deepEqual(reasons(early), [
    'middleware vote/guard: waits for its frontend: "vote" is not declared',
  ])
  assert.deepEqual(reasons(late), [`middleware vote/guard: breaker: ${selfless}`])
  assert.deepEqual(late.snapshot.frontends.get('vote')?.middlewares, [])
  assert.equal(fallbackOf(good.snapshot.frontends.get('vote')), 'spare')
  assert.deepEqual(reasons(kept), [`middleware vote/guard: breaker: ${selfless} (serving)`])
  assert.equal(fallbackOf(kept.snapshot.frontends.get('vote')), 'spare')
})

test('a middleware goes when its frontend moves to the backend that it falls back to', () => {
  const admission = openAdmission()
  const backends = { b, spare }
  const middlewares = { 'vote/guard': { kind: 'breaker', ...breaker } }
  const voteOf = (name: string): object => ({ vote: { route, backend: name } })
  admission.declare({ backends, middlewares, frontends: { ...voteOf('b') } })

  const moved = admission.declare({ backends, middlewares, frontends: { ...voteOf('spare') } })
  const back = admission.declare({ backends, middlewares, frontends: { ...voteOf('b') } })

  assert.deepEqual(reasons(moved), [
    `middleware vote/guard: breaker: ${selfless.replace('"b"', '"spare"')}`,
  ])
  assert.deepEqual(moved.snapshot.frontends.get('vote')?.middlewares, [])
  assert.deepEqual(reasons(back), [])
  assert.equal(fallbackOf(back.snapshot.frontends.get('vote')), 'spare')
})
