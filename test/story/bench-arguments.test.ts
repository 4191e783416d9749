import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { parseBenchWords, type BenchChoice, type BenchUsage } from '../../bench/arguments.ts'
import { judge } from '../../bench/bars.ts'
import { barTable } from '../../bench/chaos/report.ts'
import { report } from '../../bench/report.ts'
import type { Results } from '../../bench/results.ts'
import { SCENARIOS, whyNothing } from '../../bench/scenarios/index.ts'
import { CONTENDERS } from '../../bench/contenders/index.ts'
import { FULL, QUICK } from '../../bench/plan.ts'
import type { TcpEntry } from '../../bench/scenarios/tcp.ts'
import { TCP_CONTENDERS } from '../../bench/tcp/contenders.ts'
import type { TcpSample } from '../../bench/tcp/load.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const USAGE: BenchUsage = {
  command: 'npm run bench',
  about: 'Measures.',
  scenarios: { small: 'small responses', tls: 'over TLS', ready: 'a start' },
  contenders: { ours: 'Sluice', haproxy: 'HAProxy' },
}

function choose(...words: string[]): BenchChoice {
  const parsed = parseBenchWords(USAGE, words)
  assert.ok(parsed.kind === 'run', JSON.stringify(parsed))
  return parsed.choice
}

function mistake(...words: string[]): string {
  const parsed = parseBenchWords(USAGE, words)
  assert.ok(parsed.kind === 'mistake', JSON.stringify(parsed))
  return parsed.message
}

test('scenarios are chosen by name, in their own order, and all without one', () => {
  const all = { quick: false, bars: false, scenarios: ['small', 'tls', 'ready'] }
  const both = ['ours', 'haproxy']

  assert.deepEqual(choose(), { ...all, contenders: both, isNamed: false, isWhole: true })
  for (const words of [
    ['tls', 'small'],
    ['--only', 'tls,small'],
    ['--only=small', 'tls'],
  ]) {
    const { scenarios, isNamed, isWhole } = choose(...words)
    assert.deepEqual([scenarios, isNamed, isWhole], [['small', 'tls'], true, false])
  }
  assert.deepEqual(choose('--contenders', 'haproxy').contenders, ['haproxy'])
  assert.deepEqual(
    [choose('--quick').isWhole, choose('--contenders=ours').isWhole, choose('--bars').isWhole],
    [false, false, true],
  )
  assert.equal(choose('--bars').bars, true)
})

test('what is not known, or says nothing, is a mistake that helps', () => {
  assert.match(
    mistake('--onyl', 'tls'),
    /^unknown option "--onyl", did you mean "--only"\? \(see npm run bench -- --help\)$/,
  )
  assert.match(
    mistake('smal'),
    /^there is no scenario "smal", did you mean "small"\?; there are small, tls, ready/,
  )
  assert.match(
    mistake('--contenders', 'nginx'),
    /^there is no contender "nginx"; there are ours, haproxy/,
  )
  for (const words of [['--only'], ['--only='], ['--only', '--quick']]) {
    assert.match(mistake(...words), /^--only needs names/)
  }
  assert.match(mistake('--only', ','), /^there is no scenario ""/)
  assert.match(mistake('--quick=no'), /^--quick takes no value/)
  const one = { command: 'npm run chaos', about: '', scenarios: { kill: 'one is killed' } }
  assert.equal(parseBenchWords(one, ['--contenders', 'ours']).kind, 'mistake')
})

test('help names every scenario, contender and option', () => {
  for (const words of [['--help'], ['-h'], ['small', '--help']]) {
    const parsed = parseBenchWords(USAGE, words)
    assert.ok(parsed.kind === 'help')
    assert.match(
      parsed.text,
      /^Measures\.\n\nusage: npm run bench -- \[SCENARIO \.\.\.\] \[options\]\n/,
    )
    for (const word of ['--quick', '--only', '--contenders', '--bars', 'small', 'tls', 'haproxy']) {
      assert.ok(parsed.text.includes(`  ${word}`), word)
    }
  }
})

const ALL_THERE = { hasCertificate: true, hasH2load: true, hasHttp2Origins: true }

test('a scenario that can measure nothing says why', () => {
  const of = (name: string, contenders: readonly string[], plan = FULL): string | null => {
    const scenario = SCENARIOS.find((one) => one.name === name)
    assert.ok(scenario !== undefined)
    const taking = CONTENDERS.filter((one) => contenders.includes(one.name))
    const tcpContenders = TCP_CONTENDERS.filter((one) => contenders.includes(one.name))
    const world = { plan, contenders: taking, tcpContenders, ...ALL_THERE }
    return whyNothing(scenario, world)
  }

  assert.match(of('ready', ['haproxy']) ?? '', /Sluice alone/)
  assert.match(of('autocannon', ['ours'], QUICK) ?? '', /--quick/)
  assert.match(of('tls', []) ?? '', /HTTP/)
  assert.match(of('tcp', ['caddy']) ?? '', /TCP/)
  assert.match(of('h2', ['http-proxy-3']) ?? '', /HTTP\/2/)
  assert.match(of('h2-upstream', ['nginx']) ?? '', /HTTP\/2/)
  for (const { name } of SCENARIOS) assert.equal(of(name, ['ours']), null, name)
})

test('every bench prints its help, and a mistake, and begins nothing', async () => {
  const kept = ['latest.json', 'registries.json', 'chaos.json'].map((file) =>
    join(ROOT, 'bench/results', file),
  )
  const before = kept.map((file) => [statSync(file).mtimeMs, readFileSync(file, 'utf8').length])

  for (const [file, command] of [
    ['main.ts', 'bench'],
    ['registries.ts', 'bench:registries'],
    ['chaos.ts', 'chaos'],
    ['names.ts', 'bench:names'],
  ] as const) {
    const help = await run(file, '--help')
    assert.deepEqual([help.code, help.errors], [0, ''], file)
    assert.match(help.output, new RegExp(`\\nusage: npm run ${command} -- `))
    const wrong = await run(file, 'no-such-thing')
    assert.deepEqual([wrong.code, wrong.output], [2, ''], file)
    assert.match(wrong.errors, /^\S+: there is no scenario "no-such-thing".*\n$/)
  }
  const nothing = await run('main.ts', 'ready', '--contenders', 'haproxy')
  assert.deepEqual([nothing.code, nothing.output], [1, ''])
  assert.match(nothing.errors, /^bench: ready measures nothing: it is about Sluice alone/)

  assert.deepEqual(
    kept.map((file) => [statSync(file).mtimeMs, readFileSync(file, 'utf8').length]),
    before,
  )
})

test('the report begins with contenders and ratios, and has bars where they are asked for', () => {
  const results = JSON.parse(
    readFileSync(join(ROOT, 'bench/results/latest.json'), 'utf8'),
  ) as Results

  const shown = report(results, false)
  const judged = report(results, true)

  const summary = shown.indexOf('how many times as much as Sluice')
  assert.ok(summary > 0 && summary < shown.indexOf('Browser-like request'))
  assert.match(shown, /^ {2}HAProxy +[\d.]+ +0?\.\d+ /m)
  assert.doesNotMatch(shown, /\bBars\b|\bFAIL\b|\bpass\b/)
  assert.match(judged, /\nBars\n/)
})

test('proxies of TCP are compared with HAProxy, and Sluice with its bars', () => {
  const sample = (cpuMicrosEach: number): TcpSample => ({
    ...{ done: 1000, failed: 0, seconds: 2, p50Ms: 1, p99Ms: 2, cpuMicrosEach },
  })
  const entry = (contender: string, title: string, cost: number, idle: number): TcpEntry => ({
    ...{ contender, title, version: '1' },
    samples: {
      ...{ connect: [sample(cost)], exchange: [sample(cost)] },
      ...{ download: [sample(cost / 1e6)], upload: [sample(cost / 1e6)] },
    },
    idle: { connections: 100, bytesPerConnection: idle, residentBytes: 1024 ** 2 },
  })
  const entries = [entry('ours', 'Sluice', 160, 7 * 1024), entry('haproxy', 'HAProxy', 100, 3072)]
  const kept = JSON.parse(readFileSync(join(ROOT, 'bench/results/latest.json'), 'utf8')) as Results
  const results: Results = { ...kept, tcp: { entries, absent: [] } }

  const lines = report(results, false).split('\n')
  const missed = judge(results).filter(({ what, met }) => what.startsWith('TCP') && met === false)

  assert.ok(lines.some((line) => /^ +Sluice +160 +160 - 160 +1\.60 +500$/.test(line)))
  assert.ok(lines.some((line) => /^ +HAProxy +3 +100 +1$/.test(line)))
  assert.equal(missed.length, 5)
})

test('what chaos found is said without a verdict, unless it is asked for', () => {
  const checks = [{ of: 'kill', bar: '0 failed', found: '3 failed', isMet: false }]

  assert.equal(barTable(checks, false), 'kill: 3 failed')
  assert.equal(barTable(checks, true), 'MISSED kill [0 failed]: 3 failed')
})

async function run(
  file: string,
  ...words: readonly string[]
): Promise<{ code: number; output: string; errors: string }> {
  try {
    const argv = [join(ROOT, 'bench', file), ...words]
    const { stdout, stderr } = await promisify(execFile)(process.execPath, argv)
    return { code: 0, output: stdout, errors: stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, output: stdout, errors: stderr }
  }
}
