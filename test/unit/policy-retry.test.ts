import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_RETRY } from '../../src/schema/retry.ts'
import { RecentQuantile } from '../../src/policy/retrying/recent-quantile.ts'
import { compileRetry, isIdempotent } from '../../src/policy/retrying/retry.ts'

test('without a predicate the error says whether a request may be sent again', () => {
  const policy = compileRetry({ ...DEFAULT_RETRY, attempts: 3 })
  const get = { attempts: 1, status: 502, method: 'GET' }
  const post = { ...get, method: 'POST' }

  assert.equal(policy.allows(post, 'always'), true)
  assert.equal(policy.allows(get, 'idempotent'), true)
  assert.equal(policy.allows(post, 'idempotent'), false)
  assert.equal(policy.allows(get, 'never'), false)
  assert.equal(policy.allows(get, null), false, 'an answer is an answer')
  assert.equal(policy.allows({ ...get, attempts: 3 }, 'always'), false)
})

test('a predicate decides instead, up to eleven attempts', () => {
  const policy = compileRetry({ ...DEFAULT_RETRY, attempts: 1000, when: 'ResponseCode() == 500' })

  assert.equal(policy.allows({ attempts: 10, status: 500, method: 'POST' }, null), true)
  assert.equal(policy.allows({ attempts: 11, status: 500, method: 'GET' }, null), false)
  assert.equal(policy.allows({ attempts: 1, status: 502, method: 'GET' }, 'always'), false)
})

test('the back-off doubles up to its longest, half of it by chance', () => {
  const policy = compileRetry({ ...DEFAULT_RETRY, backoffMs: 10, longestBackoffMs: 50 })

  assert.deepEqual(
    [2, 3, 4, 5, 6].map((next) => policy.backoffMs(next, 1)),
    [10, 20, 40, 50, 50],
  )
  assert.deepEqual(
    [2, 3].map((next) => policy.backoffMs(next, 0)),
    [5, 10],
  )
  assert.equal(compileRetry(DEFAULT_RETRY).backoffMs(2, 1), 0)
})

test('methods of RFC 9110 section 9.2.2 are idempotent', () => {
  const methods = ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'POST', 'PATCH', 'get', '']

  assert.deepEqual(methods.filter(isIdempotent), methods.slice(0, 6))
})

test('a recent quantile follows the latest values', () => {
  const times = new RecentQuantile(0.9)
  for (let i = 0; i < 31; i++) times.add(5)
  assert.equal(times.value, Infinity, 'too few yet')

  for (let i = 0; i < 1000; i++) times.add(i % 100)
  const before = times.value
  for (let i = 0; i < 256; i++) times.add(7)

  assert.ok(before >= 85 && before <= 95, `${before}`)
  assert.equal(times.value, 7)
})
