// Issue 15, part 3: who asks for replicas from outside, over a scaler that only notes what it is asked.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { alertmanagerEndpoint } from '../../src/admin/scaling/alertmanager.ts'
import type { ScalerView } from '../../src/admin/scaling/scaler-view.ts'
import { orbiterEndpoints } from '../../src/admin/scaling/orbiter.ts'
import { scaleRequestEndpoint } from '../../src/admin/scaling/requests.ts'
import type { ScaleSpec } from '../../src/model/scale.ts'
import type { ScaleAnswer, ScaleRequest } from '../../src/scaling/scale-request.ts'
import { scaleOf } from '../support/objects.ts'
import { type ObjectsSite, startObjectsSite } from '../support/objects-api.ts'

interface Site extends ObjectsSite {
  readonly asked: readonly ScaleRequest[]
}

const STEPS = { up: 2, down: 1 }
const INPUTS = { holdMs: 60_000, orbiter: STEPS, alertmanager: STEPS, prometheus: null }
const SWARM = { kind: 'swarm', service: 'shop_vote', source: null } as const
const SPECS: Readonly<Record<string, ScaleSpec>> = {
  vote: scaleOf({ min: 1, max: 10, inputs: INPUTS, actuator: SWARM }),
  closed: scaleOf({ inputs: { ...INPUTS, orbiter: null, alertmanager: null } }),
}

async function start(
  t: TestContext,
  answer:
    Partial<Extract<ScaleAnswer, { taken: true }>> | Extract<ScaleAnswer, { taken: false }> = {},
  access: object = {},
): Promise<Site> {
  const asked: ScaleRequest[] = []
  const scaler: ScalerView = {
    request(request) {
      asked.push(request)
      if ('refused' in answer) return answer
      const { to } = request
      const replicas = 'replicas' in to ? Math.min(10, Math.max(1, to.replicas)) : 3 + to.delta
      return { taken: true, replicas, waits: null, ...answer }
    },
    specOf: (backend) => SPECS[backend] ?? null,
    backends: () => Object.keys(SPECS),
  }
  const site = await startObjectsSite(t, {
    access,
    endpoints: () => [
      scaleRequestEndpoint(scaler),
      alertmanagerEndpoint(scaler),
      ...orbiterEndpoints(scaler),
    ],
  })
  return { ...site, asked }
}

async function bodyOf(response: Response): Promise<Record<string, unknown>> {
  return (await response.json()) as Record<string, unknown>
}

test('a number of replicas, or a step, is asked for with who wants it', async (t) => {
  const site = await start(t)

  const set = await site.send('POST', '/api/scale', {
    ...{ backend: 'vote', replicas: 50, reason: 'a sale\nbegins', for: '10m' },
  })
  const step = await site.send('POST', '/api/scale', { backend: 'vote', delta: -1 })

  assert.deepEqual([set.status, step.status], [200, 200])
  assert.deepEqual(await bodyOf(set), { backend: 'vote', replicas: 10, waits: null, dryRun: false })
  assert.deepEqual(site.asked, [
    {
      ...{ backend: 'vote', to: { replicas: 50 }, input: 'api', forMs: 600_000, dryRun: false },
      reason: 'anonymous: a sale begins',
    },
    {
      ...{ backend: 'vote', to: { delta: -1 }, input: 'api', forMs: null, dryRun: false },
      reason: 'anonymous',
    },
  ])
  const [line] = site.logged.filter(({ message }) => message.startsWith('asked for'))
  assert.equal(line?.message, 'asked for 10 replicas of backend "vote"')
  assert.equal((line?.fields as { who: string }).who, 'anonymous')
})

test('what waits is said', async (t) => {
  const site = await start(t, { waits: 'another instance acts: b' })

  const response = await site.send('POST', '/api/scale', { backend: 'vote', replicas: 2 })

  assert.equal((await bodyOf(response))['waits'], 'another instance acts: b')
})

test('a dry run is passed on as one, and no line says that it was asked for', async (t) => {
  const site = await start(t, { waits: 'it is a dry run' })

  const dry = await site.send('POST', '/api/scale?dryRun=1', { backend: 'vote', replicas: 50 })

  assert.deepEqual(await bodyOf(dry), {
    ...{ backend: 'vote', replicas: 10, waits: 'it is a dry run', dryRun: true },
  })
  assert.deepEqual(
    site.asked.map(({ dryRun }) => dryRun),
    [true],
  )
  assert.ok(!site.logged.some(({ message }) => message.startsWith('asked for')))
})

test('a request that is malformed is refused with a reason, and asks for nothing', async (t) => {
  const site = await start(t)
  const bodies: readonly (readonly [unknown, number, RegExp])[] = [
    ['no JSON', 400, /cannot be read as JSON/],
    [[], 400, /must be a map/],
    [{ replicas: 1 }, 400, /backend must be/],
    [{ backend: 'vote' }, 400, /one of replicas and delta/],
    [{ backend: 'vote', replicas: 1, delta: 1 }, 400, /one of replicas and delta/],
    [{ backend: 'vote', replicas: -1 }, 400, /whole number from 0/],
    [{ backend: 'vote', replicas: 1.5 }, 400, /whole number/],
    [{ backend: 'vote', replicas: '3' }, 400, /whole number/],
    [{ backend: 'vote', replicas: 1e9 }, 400, /whole number/],
    [{ backend: 'vote', delta: 0 }, 400, /other than 0/],
    [{ backend: 'vote', replicas: 1, for: 'long' }, 400, /^for must be a duration/],
    [{ backend: 'vote', replica: 1 }, 400, /"replica" is not known here.*replicas/],
    [{ backend: 'vot', replicas: 1 }, 404, /no backend "vot" with scale.*vote/],
  ]
  for (const [body, status, reason] of bodies) {
    const response = await site.send('POST', '/api/scale', body)
    assert.equal(response.status, status, JSON.stringify(body))
    assert.match(String((await bodyOf(response))['message']), reason)
  }
  const large = await site.send('POST', '/api/scale', { backend: 'x'.repeat(70_000), replicas: 1 })

  assert.equal(large.status, 413)
  assert.deepEqual(site.asked, [])
})

test('what the scaler refuses is said with its reason', async (t) => {
  const site = await start(t, { taken: false, refused: 'it is unknown', isUnknown: false })

  const response = await site.send('POST', '/api/scale', { backend: 'vote', delta: 1 })

  assert.equal(response.status, 409)
  assert.equal((await bodyOf(response))['message'], 'it is unknown')
})

test('only a client with the role write may ask', async (t) => {
  const site = await start(t, {}, { anonymous: 'read' })
  const paths = ['/api/scale', '/api/scale/alertmanager', '/v1/orbiter/handle/autoswarm/vote/up']

  for (const path of paths) {
    const response = await site.send('POST', path, { backend: 'vote', replicas: 1 })
    assert.equal(response.status, 401, path)
  }

  assert.deepEqual(site.asked, [])
})

test("orbiter's calls are steps of a backend, by its id or by its service", async (t) => {
  const site = await start(t)

  const up = await site.send('POST', '/v1/orbiter/handle/autoswarm/shop_vote/up')
  const down = await site.send('POST', '/v1/orbiter/handle/anything/vote/down')
  const byBody = await site.send('POST', '/v1/orbiter/handle/autoswarm/vote', { direction: true })
  const list = await site.fetch('/v1/orbiter/autoscaler')

  assert.deepEqual([up.status, down.status, byBody.status], [200, 200, 200])
  assert.deepEqual(
    site.asked.map(({ backend, to, input, reason }) => [backend, to, input, reason]),
    [
      ['vote', { delta: 2 }, 'orbiter', 'anonymous: autoswarm/shop_vote up'],
      ['vote', { delta: -1 }, 'orbiter', 'anonymous: anything/vote down'],
      ['vote', { delta: 2 }, 'orbiter', 'anonymous: autoswarm/vote up'],
    ],
  )
  assert.deepEqual(await bodyOf(list), { data: [{ name: 'autoswarm/shop_vote' }] })
})

test("orbiter's calls for what does not take them are refused", async (t) => {
  const site = await start(t)

  const sideways = await site.send('POST', '/v1/orbiter/handle/autoswarm/vote/left')
  const unknown = await site.send('POST', '/v1/orbiter/handle/autoswarm/gone/up')
  const closed = await site.send('POST', '/v1/orbiter/handle/autoswarm/closed/up')

  assert.deepEqual([sideways.status, unknown.status, closed.status], [404, 404, 404])
  assert.match(String((await bodyOf(closed))['message']), /set scale\.inputs\.orbiter/)
  assert.deepEqual(site.asked, [])
})

/** As Alertmanager 0.27 writes it. */
function notification(...alerts: readonly object[]): object {
  return {
    version: '4',
    groupKey: '{}:{alertname="VoteBusy"}',
    truncatedAlerts: 0,
    status: 'firing',
    receiver: 'sluice',
    groupLabels: { alertname: 'VoteBusy' },
    commonLabels: { alertname: 'VoteBusy', service: 'shop_vote' },
    commonAnnotations: {},
    externalURL: 'http://alertmanager:9093',
    alerts,
  }
}

function alertOf(labels: object, more: object = {}): object {
  return {
    status: 'firing',
    labels: { alertname: 'VoteBusy', ...labels },
    annotations: { summary: 'the votes pile up' },
    startsAt: '2026-12-01T06:00:00.000Z',
    endsAt: '0001-01-01T00:00:00Z',
    generatorURL: 'http://prometheus:9090/graph',
    fingerprint: 'f1',
    ...more,
  }
}

async function outcomes(site: Site, body: object): Promise<readonly unknown[]> {
  const response = await site.send('POST', '/api/scale/alertmanager', body)
  assert.equal(response.status, 200)
  return ((await bodyOf(response))['results'] as { outcome: string }[]).map((one) => one.outcome)
}

test('an alert that fires is one step, however often it is sent, until it fires anew', async (t) => {
  const site = await start(t)
  const busy = { service: 'shop_vote', direction: 'up' }

  const first = await outcomes(site, notification(alertOf(busy)))
  const again = await outcomes(site, notification(alertOf(busy)))
  const resolved = await outcomes(site, notification(alertOf(busy, { status: 'resolved' })))
  const anew = await outcomes(site, notification(alertOf(busy)))
  const later = { startsAt: '2026-12-01T07:00:00.000Z' }
  const unseen = await outcomes(site, notification(alertOf(busy, later)))

  assert.deepEqual(
    [first, again, resolved, anew, unseen],
    [['asked'], ['repeated'], ['resolved'], ['asked'], ['asked']],
  )
  assert.equal(site.asked.length, 3)
  assert.deepEqual(site.asked[0], {
    ...{ backend: 'vote', to: { delta: 2 }, input: 'alertmanager', forMs: null },
    reason: 'VoteBusy fires: the votes pile up',
  })
})

test('labels and annotations say how far', async (t) => {
  const site = await start(t)
  const alerts = [
    alertOf({ backend: 'vote', direction: 'down' }, { fingerprint: '1' }),
    alertOf({ backend: 'vote', scale: '+3' }, { fingerprint: '2' }),
    alertOf({ backend: 'vote', scale: '-2' }, { fingerprint: '3' }),
    alertOf({ backend: 'vote' }, { fingerprint: '4', annotations: { scale: '7' } }),
  ]

  await outcomes(site, notification(...alerts))
  const repeated = await outcomes(site, notification(...alerts))

  assert.deepEqual(
    site.asked.map(({ to }) => to),
    [{ delta: -1 }, { delta: 3 }, { delta: -2 }, { replicas: 7 }, { replicas: 7 }],
  )
  assert.deepEqual(repeated, ['repeated', 'repeated', 'repeated', 'asked'])
})

test('an alert that cannot be followed keeps no other from being handled, and is told', async (t) => {
  const site = await start(t)
  const alerts = [
    alertOf({ direction: 'up' }),
    alertOf({ backend: 'gone', direction: 'up' }),
    alertOf({ backend: 'closed', direction: 'up' }),
    alertOf({ backend: 'vote' }),
    alertOf({ backend: 'vote', scale: 'lots' }),
    alertOf({ backend: 'vote', scale: '+1000' }),
    alertOf({ backend: 'vote', direction: 'up' }, { status: 'pending' }),
    alertOf({ backend: 'vote', direction: 'up' }, { fingerprint: 5 }),
    alertOf({ backend: 'vote', direction: 'up' }),
  ]

  const found = await outcomes(site, notification(...alerts))

  assert.deepEqual(found, [...Array<string>(8).fill('refused'), 'asked'])
  assert.equal(site.asked.length, 1)
  assert.equal(site.logged.filter(({ message }) => message.startsWith('an alert')).length, 8)
})

test('a body that is no notification is refused', async (t) => {
  const site = await start(t)
  const alert = alertOf({ backend: 'vote', direction: 'up' })
  const bodies = [
    'no JSON',
    {},
    { ...notification(alert), version: '3' },
    { ...notification(alert), alerts: [1] },
    { ...notification(alert), alerts: Array(1_001).fill({}) },
  ]
  for (const body of bodies) {
    assert.equal((await site.send('POST', '/api/scale/alertmanager', body)).status, 400)
  }
  const large = notification(alertOf({ backend: 'vote', padding: 'x'.repeat(1 << 20) }))

  assert.equal((await site.send('POST', '/api/scale/alertmanager', large)).status, 413)
  assert.deepEqual(site.asked, [])
})
