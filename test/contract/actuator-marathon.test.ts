/** The actuator of Marathon against a fake of it, because no real one can be had. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Actuator } from '../../src/scaling/actuator.ts'
import { openMarathon } from '../../src/scaling/actuators/marathon.ts'
import type { MarathonOptions } from '../../src/providers/marathon/marathon-provider.ts'
import { actuatorContext, inTime } from '../support/actuators.ts'
import {
  startFakeMarathon,
  type FakeMarathon,
  type FakeMarathonOptions,
} from '../support/fake-marathon.ts'
import { createApp } from '../support/marathon-apps.ts'
import { marathonSource } from '../support/marathon-source.ts'

const TIMES = { lockedMs: 600, pauseMs: 10 }

interface Site {
  readonly marathon: FakeMarathon
  readonly actuator: Actuator
}

async function open(
  t: TestContext,
  options: FakeMarathonOptions = {},
  own: Partial<MarathonOptions> = {},
  app = '/shop/vote',
): Promise<Site> {
  const marathon = await startFakeMarathon(t, options)
  marathon.put(createApp({ id: '/shop/vote', tasks: [{ id: 'one' }, { id: 'two' }] }))
  const sources = [marathonSource(marathon.endpoints, own)]
  const spec = { kind: 'marathon', app, source: null } as const
  const actuator = openMarathon(spec, actuatorContext({ sources }), TIMES)
  t.after(() => actuator.close())
  return { marathon, actuator }
}

function writes({ requests }: FakeMarathon): number {
  return requests.length
}

test('an app has as many instances as it is told, and the same number is not written again', async (t) => {
  const { marathon, actuator } = await open(t)

  assert.equal(await actuator.observed(inTime()), 2)
  await actuator.setReplicas(5, inTime())
  assert.equal(await actuator.observed(inTime()), 5)
  const before = writes(marathon)
  await actuator.setReplicas(5, inTime())

  // It is read only.
  assert.equal(writes(marathon), before + 1)
  assert.equal(marathon.apps()[0]?.['cmd'], 'exec ./server --port $PORT0')
})

test('an app that a deployment has locked is written once the deployment is over', async (t) => {
  const { marathon, actuator } = await open(t)
  const [app] = marathon.apps()
  assert.ok(app !== undefined)
  app['deployments'] = [{ id: '867ed450' }]

  const locked = actuator.setReplicas(3, inTime())
  await assert.rejects(locked, {
    message: `cannot scale the app "/shop/vote" of the Marathon at ${marathon.endpoints[0]} to 3: a deployment has locked it for more than 0.6 s`,
  })
  const waiting = actuator.setReplicas(4, inTime())
  app['deployments'] = []
  await waiting

  assert.equal(app['instances'], 4)
})

test('the Marathon that leads is asked, with the login of the source, also after it has changed', async (t) => {
  const login = { authorization: 'Basic dm90ZTpzZWNyZXQ=' }
  const { marathon, actuator } = await open(t, { nodes: 2, standby: 'all', ...login }, login)

  marathon.lead(1)
  await actuator.setReplicas(3, inTime())
  await marathon.stop(1)
  marathon.lead(0)
  await assert.rejects(actuator.observed(inTime()), /cannot read how many replicas the app/)

  assert.equal(await actuator.observed(inTime()), 3)
})

test('what goes wrong at Marathon is one error in one line', async (t) => {
  const missing = await open(t, {}, {}, '/shop/nothing')
  const refused = await open(t, { authorization: 'Basic dm90ZTpzZWNyZXQ=' })
  const { marathon, actuator } = await open(t)
  const cases = [
    [500, '<html>\noops</html>', /responds to \/v2\/apps\/shop\/vote with 500: <html> oops/],
    [200, '{"app":{"instances":"many"}}', /: the response has no number of instances$/],
    [200, '[', /it is not JSON/],
  ] as const

  await assert.rejects(missing.actuator.observed(inTime()), /: there is no such app$/)
  await assert.rejects(
    refused.actuator.setReplicas(3, inTime()),
    /with 401: .*Authentication required/,
  )
  for (const [status, body, reason] of cases) {
    marathon.override('/v2/apps', (_request, response) => response.writeHead(status).end(body))
    await assert.rejects(actuator.setReplicas(3, inTime()), ({ message }: Error) => {
      assert.match(message, reason)
      assert.doesNotMatch(message, /\n/)
      return true
    })
  }
})

test('a Marathon that hangs ends a call with its signal', async (t) => {
  const { marathon, actuator } = await open(t)
  marathon.override('/v2/apps', () => {})

  await assert.rejects(actuator.setReplicas(3, AbortSignal.timeout(100)), /no response in time$/)
})
