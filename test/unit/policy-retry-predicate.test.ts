import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseRetryPredicate } from '../../src/policy/retrying/retry-predicate.ts'

function triesAgain(text: string, status: number, attempts = 1, method = 'GET'): boolean {
  const parsed = parseRetryPredicate(text)
  assert.ok(parsed.ok, parsed.ok ? '' : `${text}: ${parsed.message}`)
  return parsed.predicate({ attempts, status, method })
}

test("vulcand's own predicate tries network errors of GET again", () => {
  const predicate = 'IsNetworkError() && RequestMethod() == "GET" && Attempts() < 2'

  assert.ok(triesAgain(predicate, 502))
  assert.ok(triesAgain(predicate, 504))
  assert.ok(!triesAgain(predicate, 503))
  assert.ok(!triesAgain(predicate, 502, 2))
  assert.ok(!triesAgain(predicate, 502, 1, 'POST'))
})

test('each status has its number of attempts', () => {
  const predicate =
    '(ResponseCode() == 502 && Attempts() < 20) || (ResponseCode() == 500 && Attempts() < 3)'

  assert.ok(triesAgain(predicate, 502, 19))
  assert.ok(triesAgain(predicate, 500, 2))
  assert.ok(!triesAgain(predicate, 500, 3))
})

test('every comparison is taken', () => {
  const outcomes = ['==', '!=', '<', '<=', '>', '>='].map((comparison) =>
    [1, 2, 3].map((attempts) => triesAgain(`Attempts() ${comparison} 2`, 200, attempts)),
  )

  assert.deepEqual(outcomes, [
    [false, true, false],
    [true, false, true],
    [true, false, false],
    [true, true, false],
    [false, false, true],
    [false, true, true],
  ])
  assert.ok(triesAgain('RequestMethod() != `POST`', 200))
})

test('a status of gRPC is one of a call, and holds in no comparison without one', () => {
  const holds = (text: string, grpcStatus?: number): boolean => {
    const parsed = parseRetryPredicate(text)
    assert.ok(parsed.ok)
    const attempt = { attempts: 1, status: 200, method: 'POST' }
    return parsed.predicate(grpcStatus === undefined ? attempt : { ...attempt, grpcStatus })
  }

  assert.ok(holds('GrpcStatus() == 14', 14))
  assert.ok(!holds('GrpcStatus() == 14', 13))
  assert.ok(holds('GrpcStatus() != 0', 2))
  assert.ok(!holds('GrpcStatus() != 0', 0))
  for (const comparison of ['==', '!=', '<', '<=', '>', '>=']) {
    assert.ok(!holds(`GrpcStatus() ${comparison} 0`, -1), comparison)
    assert.ok(!holds(`GrpcStatus() ${comparison} 0`), comparison)
  }
})

const refusals: readonly [text: string, position: number, message: RegExp][] = [
  ['', 0, /found the end, expected a function/],
  ['IsNetworkError', 14, /found the end, expected "\("/],
  ['IsNetworkError() == 1', 17, /found "==", expected "&&", "\|\|" or the end/],
  ['GrpcStatus() == 17', 16, /found "17", expected a status from 0 to 16/],
  ['GrpcStatus() == UNAVAILABLE', 16, /found "UNAVAILABLE", expected a status from 0 to 16/],
  ['Attempts()', 10, /found the end, expected a comparison, as in Attempts\(\) <= 2/],
  ['Attempts() < "2"', 13, /found the string "2", expected a whole number/],
  ['Attempts() < 2.5', 13, /found "2\.5", expected a whole number/],
  ['2 > Attempts()', 0, /found "2", expected a function/],
  ['ResponseCode() == "502"', 18, /found the string "502", expected a whole number/],
  ['RequestMethod() == 1', 19, /found "1", expected a string, as in RequestMethod\(\) == "GET"/],
  ['RequestMethod() == GET', 19, /found "GET", expected a string/],
  ['RequestMethod() < "GET"', 16, /found "<", expected "==" or "!="/],
  [
    'RequestMethod("GET")',
    14,
    /found the string "GET", expected "\)", as RequestMethod takes nothing/,
  ],
  ['NetworkErrorRatio() > 0.5', 0, /found "NetworkErrorRatio", expected one of IsNetworkError,/],
]

for (const [text, position, message] of refusals) {
  test(`refuses ${JSON.stringify(text)} and says where`, () => {
    const parsed = parseRetryPredicate(text)

    assert.ok(!parsed.ok)
    assert.match(parsed.message, message)
    assert.equal(parsed.position, position)
  })
}

test('whatever the text, it is taken or refused at a place inside it', () => {
  const word = fc.constantFrom(
    ...['IsNetworkError', 'Attempts', 'ResponseCode', 'RequestMethod', '(', ')', '&&', '||'],
    ...['==', '!=', '<', '>=', '2', '502', '"GET"', '`', '"', ' ', '.'],
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(word).map((words) => words.join('')),
  )
  fc.assert(
    fc.property(text, (written) => {
      const parsed = parseRetryPredicate(written)
      assert.ok(parsed.ok || (parsed.position >= 0 && parsed.position <= written.length))
    }),
    { numRuns: 500 },
  )
})
