import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { describeApi, pathsOf } from '../../src/admin/description.ts'
import type { Endpoint } from '../../src/admin/endpoint.ts'
import { createEventLog } from '../../src/admin/event-log.ts'
import { drainEndpoints } from '../../src/admin/objects/drain.ts'
import { objectEndpoints } from '../../src/admin/objects/endpoints.ts'
import { daemonEndpoints } from '../../src/admin/vulcand/daemon.ts'
import { vulcandEndpoints } from '../../src/admin/vulcand/endpoints.ts'
import { topEndpoints } from '../../src/admin/vulcand/top.ts'
import { alertmanagerEndpoint } from '../../src/admin/scaling/alertmanager.ts'
import type { ScalerView } from '../../src/admin/scaling/scaler-view.ts'
import { orbiterEndpoints } from '../../src/admin/scaling/orbiter.ts'
import { scaleRequestEndpoint } from '../../src/admin/scaling/requests.ts'
import { faultsOf, type Schema } from '../support/json-schema.ts'
import { type ObjectsSite, startObjectsSite } from '../support/objects-api.ts'
import { createJudge, type Description, visit } from '../support/openapi.ts'
import { ruleFaults } from '../support/openapi-rules.ts'

const UNSCALED: ScalerView = {
  request: () => ({ taken: false, refused: 'there is none', isUnknown: true }),
  specOf: () => null,
  backends: () => [],
}

async function start(t: TestContext): Promise<{
  site: ObjectsSite
  endpoints: readonly Endpoint[]
  description: Description & Schema
}> {
  const events = createEventLog('boot')
  t.after(() => events.close())
  const site = await startObjectsSite(t, {
    endpoints: (service) => [
      ...objectEndpoints(service),
      ...drainEndpoints(service),
      events.endpoint,
      ...vulcandEndpoints({ service, isInForce: () => false }),
      ...topEndpoints({
        snapshot: () => ({ frontends: new Map(), backends: new Map() }),
        placed: () => ({ frontends: [], backends: [] }),
        readCounts: () => {},
        now: () => 0,
      }),
      ...daemonEndpoints({ level: () => 'info', setLevel: () => {} }),
      scaleRequestEndpoint(UNSCALED),
      alertmanagerEndpoint(UNSCALED),
      ...orbiterEndpoints(UNSCALED),
    ],
  })
  const { endpoints } = site
  const description = (await (await site.fetch('/api/openapi.json')).json()) as Description & Schema
  return { site, endpoints, description }
}

test('the description is sound OpenAPI 3.1', async (t) => {
  const { description } = await start(t)

  assert.deepEqual(ruleFaults(description), [])
})

test('the rules find what is wrong with a description', () => {
  const operation = (more: object): object => ({
    ...{ operationId: 'a', responses: { 200: { description: 'x' } }, ...more },
  })
  const faults = ruleFaults({
    openapi: '3.0.3',
    info: { title: 'x', licence: {} },
    paths: {
      '/a/{b}': { get: operation({ tags: ['none'], security: [{ key: [] }] }) },
      '/a/{c}': { get: operation({ parameters: [{ name: 'c', in: 'path', schema: {} }] }) },
      d: { put: operation({ responses: { 600: { $ref: '#/components/x' } } }), patsch: {} },
    },
    components: { schemas: { 'a b': {} } },
  })

  for (const expected of [
    /is not OpenAPI 3\.1/,
    /a info has no licence/,
    /info: lacks version/,
    /a b is no name of a component/,
    /two templates are the same/,
    /two operations have one operationId/,
    /there is no tag none/,
    /there is no security scheme key/,
    /has parameters {2}for b/,
    /c must be required/,
    /must begin with a slash/,
    /a path has no patsch/,
    /600: is no status/,
    /#\/components\/x leads nowhere/,
  ]) {
    assert.match(faults.join('\n'), expected)
  }
})

test('every endpoint of the router is described, and nothing else', async (t) => {
  const { endpoints, description, site } = await start(t)
  const index = await (await site.fetch('/')).text()

  const served = endpoints.flatMap((endpoint) =>
    pathsOf(endpoint).map(([path]) => `${endpoint.method.toLowerCase()} ${path}`),
  )
  const described = Object.entries(description.paths).flatMap(([path, item]) =>
    Object.keys(item)
      .filter((method) => method !== 'parameters')
      .map((method) => `${method} ${path}`),
  )

  assert.deepEqual(described.toSorted(), served.toSorted())
  assert.ok(described.length > 60)
  for (const { path } of endpoints) if (path !== '/') assert.ok(index.includes(`\n${path}`), path)
})

test('every operation answers as it is described', async (t) => {
  const { description, site } = await start(t)
  const seen: string[] = []

  for (const [template, item] of Object.entries(description.paths)) {
    for (const method of Object.keys(item).filter((name) => name !== 'parameters')) {
      const path = template
        .replace('{kind}', 'backend')
        .replace('{hostname}', 'a.test')
        .replaceAll(/\{\w+\}/g, 'x')
      // What it answers is held against the description by the site.
      const leave = new AbortController()
      const response = await site.fetch(path, {
        method: method.toUpperCase(),
        signal: leave.signal,
        ...(method === 'get' ? {} : { headers: { 'content-type': 'application/json' } }),
        ...(['put', 'post', 'patch'].includes(method) ? { body: '{}' } : {}),
      })
      const isEvents = path === '/api/events'
      const body = isEvents ? '' : await response.text()
      if (isEvents) leave.abort()
      assert.notEqual(response.status, 405, `${method} ${path}`)
      assert.ok(response.status < 500 || path === '/v2/pprof/heap', `${method} ${path}: ${body}`)
      assert.ok(!body.includes('Object not found'), `${method} ${path}`)
      seen.push(`${method} ${template}`)
    }
  }

  assert.ok(seen.length > 60)
})

test('every schema says something, and has keywords that the validator knows', async (t) => {
  const { endpoints, description } = await start(t)
  const { schemas } = description.components

  visit(description, (at, place) => {
    if (/\/schema$/.test(place)) {
      assert.notDeepEqual(at, {}, place)
      faultsOf(at, null, { schemas })
    }
  })
  for (const [name, schema] of Object.entries(schemas)) {
    assert.ok(faultsOf(schema, 1.5, { schemas }).length > 0, `${name} takes anything`)
  }
  for (const { gives, path } of endpoints) {
    const isLazy = typeof gives.schema === 'function'
    assert.ok(isLazy || Object.keys(gives.schema).length > 0, path)
  }
})

test('the judge of exchanges finds what is not as described', async (t) => {
  const { description } = await start(t)
  const judge = createJudge(description, true)
  const headers = new Headers({ 'content-type': 'application/json' })
  const read = { method: 'GET', path: '/api/objects/backend/b', requestBody: null, headers }
  const stored = {
    ...{ kind: 'backend', id: 'b', revision: '1', ttlMs: null, value: {} },
    status: { state: 'in-force', reasons: [], inForce: null },
  }
  const faults = (status: number, body: unknown, more: object = {}): string =>
    judge.faultsOf({ ...read, status, body: JSON.stringify(body), ...more }).join('\n')

  assert.equal(faults(200, stored), '')
  assert.match(faults(200, { ...stored, colour: 1 }), /\/colour: is not known/)
  assert.match(faults(200, { ...stored, kind: 'bakend' }), /\/kind: is none of/)
  assert.match(faults(200, { ...stored, status: {} }), /\/status: lacks state/)
  assert.match(faults(418, {}), /the status is not described/)
  assert.match(faults(404, {}), /lacks message/)
  assert.match(faults(200, stored, { headers: new Headers() }), /the content has the type $/m)
  assert.match(faults(200, {}, { path: '/api/nothing' }), /the operation is not described/)
  const written = { kind: 'backend', id: 'b', outcome: 'created', dryRun: false, revision: '1' }
  const put = { method: 'PUT', requestBody: '{"balance":"rnd"}' }
  assert.match(faults(201, { ...written, changes: [] }, put), /sent: : 0 of anyOf hold: .*balance/)
})

test('an object that admission takes is valid by the schema of its kind, and one that it refuses for its form is not', async (t) => {
  const { site, description } = await start(t)
  const { schemas } = description.components
  const cases: readonly (readonly [kind: string, path: string, value: unknown, isGood: boolean])[] =
    [
      ['Listener', 'listener/l', { address: '127.0.0.1:8080', protocol: 'http' }, true],
      ['Listener', 'listener/l', { address: '127.0.0.1:8080', protocol: 'ftp' }, false],
      ['Backend', 'backend/b', { balance: 'hash', hash: { by: 'ip' } }, false],
      ['Backend', 'backend/b', { balance: 'random', health: { path: '/' } }, true],
      ['Server', 'server/b/s', 'http://10.0.0.1:80', true],
      ['Server', 'server/b/s', { url: 'http://10.0.0.1:80', weight: 2, drain: true }, true],
      ['Server', 'server/b/s', { url: 'http://10.0.0.1:80', weight: 0 }, false],
      ['Frontend', 'frontend/f', { route: 'Host("a")', backend: 'b', priority: 3 }, true],
      ['Frontend', 'frontend/f', { route: 'Host("a")', backend: 'b', prioritee: 3 }, false],
      ['Middleware', 'middleware/f/m', { kind: 'connlimit', connections: 5, priority: 1 }, true],
      ['Middleware', 'middleware/f/m', { kind: 'connlimit', connexions: 5 }, false],
    ]

  for (const [name, path, value, isGood] of cases) {
    const { status } = await site.send('PUT', `/api/objects/${path}`, JSON.stringify(value))
    const faults = faultsOf(schemas[name] ?? {}, value, { schemas })
    assert.deepEqual([status < 300, faults.length === 0], [isGood, isGood], `${path}: ${faults[0]}`)
  }
})

test('what is described does not depend on what runs', async (t) => {
  const { endpoints, description } = await start(t)

  const again: unknown = JSON.parse(JSON.stringify(await describeApi(endpoints, '0')))

  assert.deepEqual(again, description)
})
