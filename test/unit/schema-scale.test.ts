import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseBackend } from '../../src/schema/objects.ts'
import type { ScaleSpec } from '../../src/model/scale.ts'

const actuator = { swarm: { service: 'shop_vote' } }

function scaleOf(value: object): ScaleSpec {
  const parsed = parseBackend('b', { scale: { actuator, max: 10, ...value } }, String)
  assert.ok(parsed.ok, JSON.stringify(parsed))
  assert.ok(parsed.value.scale !== null)
  return parsed.value.scale
}

function flawsOf(scale: unknown): readonly string[] {
  const parsed = parseBackend('b', { scale }, String)
  return parsed.ok ? [] : parsed.problems.map(({ message }) => message)
}

test('a backend is not scaled unless it says so', () => {
  const parsed = parseBackend('b', {}, String)

  assert.ok(parsed.ok)
  assert.equal(parsed.value.scale, null)
})

test('scales by requests in flight with the defaults of Knative, between 1 and max', () => {
  assert.deepEqual(scaleOf({}), {
    actuator: { kind: 'swarm', service: 'shop_vote', source: null },
    min: 1,
    max: 10,
    concurrency: { target: 100, utilisation: 0.7 },
    rps: null,
    latency: null,
    stableMs: 60_000,
    panic: { windowMs: 6_000, threshold: 2 },
    upRate: 10,
    downRate: 2,
    downDelayMs: 0,
    cooldown: { upMs: 0, downMs: 0 },
    zero: null,
    inputs: { holdMs: 300_000, orbiter: null, alertmanager: null, prometheus: null },
    dryRun: false,
  })
})

test('a target is a map or its number alone, and other metrics take the place of the default', () => {
  const short = scaleOf({ rps: 50, latency: '300ms' })

  assert.deepEqual(short.rps, { target: 50, utilisation: 0.7 })
  assert.deepEqual(short.latency, { targetMs: 300, deadBand: 0.2, step: 0.5 })
  assert.equal(short.concurrency, null)
  assert.deepEqual(scaleOf({ concurrency: { target: 5, utilisation: '100%' } }).concurrency, {
    target: 5,
    utilisation: 1,
  })
  assert.equal(scaleOf({ inputs: { orbiter: {} } }).concurrency, null)
})

test('scales to zero with min: 0, with defaults or as it says', () => {
  const defaults = { idleMs: 300_000, graceMs: 30_000, maxPending: 100, timeoutMs: 30_000 }

  assert.deepEqual(scaleOf({ min: 0 }).zero, defaults)
  assert.deepEqual(scaleOf({ min: 0, zero: { idle: '10s', maxPending: 5 } }).zero, {
    ...defaults,
    idleMs: 10_000,
    maxPending: 5,
  })
})

test('reads every kind of actuator and input', () => {
  const of = (written: object): unknown => scaleOf({ actuator: written }).actuator

  assert.deepEqual(of({ docker: { label: 'pool=vote', source: 'engine', stop: '3s' } }), {
    ...{ kind: 'docker', label: 'pool=vote', source: 'engine', stopMs: 3000 },
  })
  assert.deepEqual(of({ compose: { service: 'vote', files: ['compose.yaml'] } }), {
    ...{ kind: 'compose', service: 'vote', files: ['compose.yaml'], project: null },
    command: ['docker', 'compose'],
  })
  assert.deepEqual(of({ marathon: { app: '/shop/vote' } }), {
    ...{ kind: 'marathon', app: '/shop/vote', source: null },
  })
  assert.deepEqual(of({ webhook: { url: 'https://ops.example/scale', secret: 'x'.repeat(16) } }), {
    ...{ kind: 'webhook', url: 'https://ops.example/scale', secret: 'x'.repeat(16), headers: {} },
    observeUrl: null,
  })
  assert.deepEqual(of({ process: { command: ['node', 'a.js', '{port}'], port: 9000 } }), {
    ...{ kind: 'process', command: ['node', 'a.js', '{port}'], port: 9000, stopMs: 10_000 },
  })
  const query = { url: 'http://prometheus:9090/', query: 'sum(x)', target: 10 }
  assert.deepEqual(
    scaleOf({ inputs: { prometheus: query, alertmanager: { up: 2 }, hold: '1m' } }).inputs,
    {
      ...{ holdMs: 60_000, orbiter: null, alertmanager: { up: 2, down: 1 } },
      prometheus: { ...query, headers: {}, intervalMs: 15_000 },
    },
  )
})

test('says what is wrong, and where', () => {
  const wrong: readonly (readonly [object, string | RegExp])[] = [
    [{ max: 0 }, 'scale.max: must be a whole number from 1 to 10000, not 0'],
    [{ min: 4, max: 3 }, 'scale.max: must not be less than min (4)'],
    [
      { max: 3, actuator: { process: { command: ['a'], port: 65_534 } } },
      'scale.actuator.process.port: leaves no room up to 65535: the last of 3 replicas would have port 65536',
    ],
    [{ min: -1 }, 'scale.min: must be a whole number from 0 to 10000, not -1'],
    [{ concurrency: 0 }, 'scale.concurrency: must be a number from 0.001 to 1000000, not 0'],
    [{ concurrency: { target: 'x' } }, /^scale\.concurrency\.target: must be a number /],
    [
      { concurrency: { target: 1, utilisation: '0%' } },
      /^scale\.concurrency\.utilisation: must be from 1% to 100%/,
    ],
    [{ rps: { target: 1, targt: 1 } }, /^scale\.rps: unknown key "targt".*"target"/],
    [{ latency: '0s' }, /^scale\.latency: must be /],
    [{ zero: {} }, 'scale.zero: is used with min: 0 only'],
    [{ panicWindow: '2m' }, 'scale.panicWindow: must not be longer than stableWindow (1m)'],
    [{ stableWindow: '1s' }, /^scale\.stableWindow: must be /],
    [{ upRate: 1 }, 'scale.upRate: must be a number from 1.1 to 1000, not 1'],
    [{ cooldown: { sideways: 1 } }, /^scale\.cooldown: unknown key "sideways"/],
    [
      { actuator: {} },
      'scale.actuator: must have one of swarm, docker, compose, marathon, webhook, process',
    ],
    [
      { actuator: { ...actuator, marathon: { app: '/x' } } },
      /^scale\.actuator: must have only one of swarm, /,
    ],
    [{ actuator: { swarm: {} } }, 'scale.actuator.swarm.service: is missing'],
    [
      { actuator: { process: { command: [], port: 1 } } },
      /^scale\.actuator\.process\.command: must be a list /,
    ],
    [
      { actuator: { process: { command: ['a\0'], port: 1 } } },
      /^scale\.actuator\.process\.command: must be a list /,
    ],
    [
      { actuator: { webhook: { url: 'ftp://x' } } },
      /^scale\.actuator\.webhook\.url: must be a url /,
    ],
    [
      { actuator: { webhook: { url: 'http://169.254.169.254/' } } },
      /^scale\.actuator\.webhook\.url: .* cannot be called/,
    ],
    [
      { inputs: { orbiter: { up: 0 } } },
      /^scale\.inputs\.orbiter\.up: must be a whole number from 1 to 100/,
    ],
    [
      { inputs: { prometheus: { url: 'http://p', query: '', target: 1 } } },
      /^scale\.inputs\.prometheus\.query: must be 1 to /,
    ],
    [{ surprise: 1 }, /^scale: unknown key "surprise"/],
  ]
  for (const [value, message] of wrong) {
    const flaws = flawsOf({ actuator, max: 10, ...value })

    assert.equal(flaws.length, 1, `${JSON.stringify(value)}: ${flaws.join('; ')}`)
    if (typeof message === 'string') assert.equal(flaws[0], message)
    else assert.match(flaws[0] ?? '', message)
  }
  assert.deepEqual(flawsOf({ actuator }), ['scale.max: is missing'])
  assert.match(flawsOf('yes')[0] ?? '', /^scale: must be a map/)
})

test('shows no secret of a web-hook in a message', () => {
  const webhook = { url: 'https://x.example', secret: 'short' }

  const [flaw = ''] = flawsOf({ actuator: { webhook }, max: 1 })

  assert.match(flaw, /^scale\.actuator\.webhook\.secret: must be text of 16 to 4096 characters/)
  assert.doesNotMatch(flaw, /short/)
})
