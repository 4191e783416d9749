import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseCondition } from '../../src/policy/breaking/condition.ts'
import { isCounted } from '../../src/policy/breaking/response-counters.ts'

interface Answer {
  readonly status: number
  readonly headMs: number
}

/** Whether the condition holds for these answers, counted as threads do. */
function holds(text: string, answers: readonly Answer[]): boolean {
  const parsed = parseCondition(text)
  assert.ok(parsed.ok, parsed.ok ? '' : `${text}: ${parsed.message}`)
  const counts = parsed.condition.counters.map(
    (counter) => answers.filter(({ status, headMs }) => isCounted(counter, status, headMs)).length,
  )
  return parsed.condition.holds((counter) => counts[counter] ?? NaN)
}

function statuses(...of: readonly number[]): Answer[] {
  return of.map((status) => ({ status, headMs: 1 }))
}

function latencies(...of: readonly number[]): Answer[] {
  return of.map((headMs) => ({ status: 200, headMs }))
}

test('the network error ratio is that of 502 and 504 among all answers', () => {
  const answers = statuses(200, 502, 504, 503, 500)

  assert.ok(holds('NetworkErrorRatio() == 0.4', answers))
  assert.ok(!holds('NetworkErrorRatio() > 0.4', answers))
  assert.ok(holds('NetworkErrorRatio() >= 0.4', answers))
  assert.ok(holds('NetworkErrorRatio() != .5', answers))
})

test('the ratio of codes is that of one range to the other, its ends left out', () => {
  const answers = statuses(499, 500, 599, 600, 200)

  assert.ok(holds('ResponseCodeRatio(500, 600, 0, 600) == 0.5', answers))
  assert.ok(holds('ResponseCodeRatio(500, 600, 200, 300) == 2', answers))
  assert.ok(holds('ResponseCodeRatio(500, 600, 300, 400) == 0', answers))
})

test('the latency at a quantile is the shortest time within which that share of the answers came', () => {
  const answers = latencies(40, 10, 30, 20)

  for (const [percent, ms] of [
    ['0', 10],
    ['25', 10],
    ['25.000001', 20],
    ['50', 20],
    ['50.0', 20],
    ['99.9', 40],
    ['1e2', 40],
  ] as const) {
    assert.ok(holds(`LatencyAtQuantileMS(${percent}) == ${ms}`, answers), percent)
    assert.ok(holds(`LatencyAtQuantileMS(${percent}) > ${ms - 0.1}`, answers), percent)
    assert.ok(!holds(`LatencyAtQuantileMS(${percent}) > ${ms}`, answers), percent)
    assert.ok(holds(`LatencyAtQuantileMS(${percent}) < ${ms + 0.1}`, answers), percent)
  }
})

test('a quantile of many answers is exact', () => {
  const answers = latencies(...Array.from({ length: 1000 }, (_, index) => index + 1))

  assert.ok(holds('LatencyAtQuantileMS(99.9) == 999', answers))
  assert.ok(holds('LatencyAtQuantileMS(99.900001) == 1000', answers))
  // 0.07 x 1000 is a little more than 70.
  assert.ok(holds('LatencyAtQuantileMS(7) == 70', answers))
})

test('of no answers every ratio and every latency is 0', () => {
  assert.ok(holds('NetworkErrorRatio() == 0 && ResponseCodeRatio(500, 600, 0, 600) == 0', []))
  assert.ok(holds('LatencyAtQuantileMS(99) == 0 && LatencyAtQuantileMS(99) < 1', []))
  assert.ok(!holds('LatencyAtQuantileMS(99) > 0 || RequestThreshold() > 0', []))
})

test('&& binds closer than ||, and parentheses closest', () => {
  const answers = statuses(200, 200)

  assert.ok(
    holds(
      'RequestThreshold() == 2 || RequestThreshold() == 0 && NetworkErrorRatio() > 0.5',
      answers,
    ),
  )
  assert.ok(
    !holds(
      '(RequestThreshold() == 2 || RequestThreshold() == 0) && NetworkErrorRatio() > 0.5',
      answers,
    ),
  )
})

test('what is measured twice is counted once', () => {
  const parsed = parseCondition(
    'NetworkErrorRatio() > 0.5 || NetworkErrorRatio() == 0.1 && ResponseCodeRatio(500, 600, 500, 600) < 1',
  )

  assert.ok(parsed.ok)
  assert.deepEqual(parsed.condition.counters, [
    { kind: 'responses' },
    { kind: 'networkErrors' },
    { kind: 'status', from: 500, to: 600 },
  ])
})

const refusals: readonly [text: string, position: number, message: RegExp][] = [
  ['', 0, /found the end, expected a function or "\("/],
  ['NetworkErrorRatio', 17, /found the end, expected "\(", as in NetworkErrorRatio\(\) > 0\.5/],
  [
    'NetworkErrorRatio(1) > 0.5',
    18,
    /found "1", expected "\)", as NetworkErrorRatio takes nothing/,
  ],
  ['NetworkErrorRatio()', 19, /found the end, expected a comparison/],
  ['NetworkErrorRatio() = 0.5', 20, /found "=", expected a comparison/],
  ['NetworkErrorRatio() > NaN', 22, /found "NaN", expected a ratio from 0 to 1/],
  ['NetworkErrorRatio() > -0.5', 22, /found "-", expected a ratio/],
  ['NetworkErrorRatio() > "0.5"', 22, /found the string "0\.5", expected a ratio/],
  ['NetworkErrorRatio() > 50', 22, /found "50", expected a ratio from 0 to 1/],
  ['NetworkErrorRatio() > 0.5 &&', 28, /found the end, expected a function/],
  ['NetworkErrorRatio() > 0.5 x', 26, /found "x", expected "&&", "\|\|" or the end/],
  ['(NetworkErrorRatio() > 0.5', 26, /found the end, expected "&&", "\|\|" or "\)"/],
  ['!(NetworkErrorRatio() > 0.5)', 0, /found "!", expected a function or "\("/],
  ['0.5 < NetworkErrorRatio()', 0, /found "0\.5", expected a function/],
  ['NetErrorRatio() > 0.5', 0, /found "NetErrorRatio", expected one of NetworkErrorRatio,/],
  ['constructor() > 0.5', 0, /found "constructor", expected one of/],
  ['LatencyAtQuantileMS() > 1', 20, /found "\)", expected a percentage/],
  ['LatencyAtQuantileMS(100.1) > 1', 20, /found "100\.1", expected a percentage from 0 to 100/],
  ['LatencyAtQuantileMS(1.0000001) > 1', 20, /at most 6 decimals/],
  ['LatencyAtQuantileMS(50) > 1e999', 26, /found "1e999", expected a time in ms/],
  [
    'LatencyAtQuantileMS(50, 1) > 1',
    22,
    /found ",", expected "\)", as LatencyAtQuantileMS takes 1/,
  ],
  [
    'ResponseCodeRatio(500, 500, 0, 600) > 1',
    23,
    /found "500", expected a status above the one before/,
  ],
  ['ResponseCodeRatio(500, 600, 600, 0) > 1', 33, /found "0", expected a status above/],
  ['ResponseCodeRatio(500, 600) > 1', 26, /found "\)", expected ",", as in ResponseCodeRatio/],
  ['ResponseCodeRatio(500.5, 600, 0, 600) > 1', 18, /found "500\.5", expected a status/],
  ['ResponseCodeRatio(500, 6000, 0, 600) > 1', 23, /found "6000", expected a status/],
  ['RequestThreshold() >= 1.5', 22, /found "1\.5", expected a whole number/],
  ['NetworkErrorRatio() > 0.5 && "', 29, /found the end in a string/],
]

for (const [text, position, message] of refusals) {
  test(`refuses ${JSON.stringify(text)} and says where`, () => {
    const parsed = parseCondition(text)

    assert.ok(!parsed.ok)
    assert.match(parsed.message, message)
    assert.equal(parsed.position, position)
  })
}

test('bounds the counters, the depth and the length of a condition', () => {
  const slower = (count: number): string =>
    Array.from({ length: count }, (_, index) => `LatencyAtQuantileMS(5)>${index}`).join('||')
  const nested = (depth: number): string =>
    '('.repeat(depth) + 'NetworkErrorRatio() > 0.5' + ')'.repeat(depth)

  assert.ok(parseCondition(slower(27)).ok)
  assert.match(JSON.stringify(parseCondition(slower(28))), /more than 28 different things/)
  assert.ok(parseCondition(nested(32)).ok)
  assert.match(
    JSON.stringify(parseCondition(nested(33))),
    /nested more than 32 deep","position":32/,
  )
  assert.match(JSON.stringify(parseCondition(' '.repeat(2049))), /2049 characters, at most 2048/)
})

test('whatever the text, it is taken or refused at a place inside it', () => {
  const word = fc.constantFrom(
    ...['NetworkErrorRatio', 'ResponseCodeRatio', 'LatencyAtQuantileMS', 'RequestThreshold'],
    ...['(', ')', ',', '&&', '||', '!', '==', '<', '>=', '500', '600', '0', '0.5', '1e9', '"', ' '],
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(word).map((words) => words.join('')),
  )
  fc.assert(
    fc.property(text, (written) => {
      const parsed = parseCondition(written)
      assert.ok(parsed.ok || (parsed.position >= 0 && parsed.position <= written.length))
    }),
    { numRuns: 500 },
  )
})

// What the language says, worked out from the answers one by one.
type Comparison = '==' | '!=' | '<=' | '>=' | '<' | '>'
interface Term {
  readonly text: string
  readonly holds: (answers: readonly Answer[]) => boolean
}

/** `of` answers a fraction, compared with a decimal in whole numbers. */
function termOf(
  call: string,
  of: (answers: readonly Answer[]) => readonly [number, number],
  comparison: Comparison,
  hundredths: number,
): Term {
  return {
    text: `${call} ${comparison} ${hundredths / 100}`,
    holds: (answers) => {
      const [part, whole] = of(answers)
      const difference = whole === 0 ? -hundredths : part * 100 - hundredths * whole
      switch (comparison) {
        case '==':
          return difference === 0
        case '!=':
          return difference !== 0
        case '<=':
          return difference <= 0
        case '>=':
          return difference >= 0
        case '<':
          return difference < 0
        case '>':
          return difference > 0
      }
    },
  }
}

const comparisons = fc.constantFrom<Comparison>('==', '!=', '<=', '>=', '<', '>')
const within = (from: number, to: number) => (answers: readonly Answer[]) =>
  answers.filter(({ status }) => status >= from && status < to).length

const errorTerm = fc
  .tuple(comparisons, fc.integer({ min: 0, max: 100 }))
  .map(([comparison, hundredths]) =>
    termOf(
      'NetworkErrorRatio()',
      (answers) => [within(502, 503)(answers) + within(504, 505)(answers), answers.length],
      comparison,
      hundredths,
    ),
  )

const codes = fc
  .tuple(fc.integer({ min: 0, max: 600 }), fc.integer({ min: 1, max: 400 }))
  .map(([from, size]) => [from, from + size] as const)
const codeTerm = fc
  .tuple(codes, codes, comparisons, fc.integer({ min: 0, max: 300 }))
  .map(([part, whole, comparison, hundredths]) =>
    termOf(
      `ResponseCodeRatio(${part.join()}, ${whole.join()})`,
      (answers) => [within(...part)(answers), within(...whole)(answers)],
      comparison,
      hundredths,
    ),
  )

const latencyTerm = fc
  .tuple(fc.integer({ min: 0, max: 1000 }), comparisons, fc.integer({ min: 0, max: 20 }))
  .map(([permille, comparison, ms]) =>
    termOf(
      `LatencyAtQuantileMS(${permille / 10})`,
      (answers) => {
        const sorted = answers.map(({ headMs }) => headMs).sort((a, b) => a - b)
        const found = sorted.find(
          (ms, at) => (at + 1) * 1000 >= permille * sorted.length && ms >= 0,
        )
        return [found ?? 0, found === undefined ? 0 : 1]
      },
      comparison,
      ms * 100,
    ),
  )

const expression = fc.letrec<{ any: Term; term: Term; joined: Term }>((tie) => ({
  term: fc.oneof(errorTerm, codeTerm, latencyTerm),
  joined: fc
    .tuple(tie('any'), fc.constantFrom('&&', '||'), tie('any'))
    .map(([left, operator, right]) => ({
      text: `(${left.text} ${operator} ${right.text})`,
      holds: (answers) =>
        operator === '&&'
          ? left.holds(answers) && right.holds(answers)
          : left.holds(answers) || right.holds(answers),
    })),
  any: fc.oneof({ maxDepth: 3 }, tie('term'), tie('joined')),
})).any

test('a condition says of its counts what the language says of the answers', () => {
  const answer = fc.record({
    status: fc.oneof(fc.constantFrom(0, 200, 500, 502, 503, 504), fc.integer({ min: 0, max: 999 })),
    headMs: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.double({ min: 0, max: 20, noNaN: true })),
  })
  fc.assert(
    fc.property(expression, fc.array(answer, { maxLength: 60 }), (wanted, answers) => {
      assert.equal(holds(wanted.text, answers), wanted.holds(answers), wanted.text)
    }),
    { numRuns: 2000 },
  )
})
