import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { objectEndpoints } from '../../src/admin/objects/endpoints.ts'
import { vulcandEndpoints } from '../../src/admin/vulcand/endpoints.ts'
import { type ObjectsSite, startObjectsSite } from '../support/objects-api.ts'

function start(t: TestContext): Promise<ObjectsSite> {
  return startObjectsSite(t, {
    endpoints: (service) => [
      ...objectEndpoints(service),
      ...vulcandEndpoints({ service, isInForce: () => false }),
    ],
  })
}

const BACKEND = { Backend: { Id: 'b', Type: 'http' } }
const FRONTEND = { Frontend: { Id: 'f', Type: 'http', BackendId: 'b', Route: 'Path("/")' } }
const SERVER = { Server: { Id: 's', URL: 'http://127.0.0.1:1' } }

test('a backend whose revision is not the expected one keeps its servers', async (t) => {
  const site = await start(t)
  await site.send('POST', '/v2/backends', BACKEND)
  await site.send('POST', '/v2/backends/b/servers', SERVER)

  const stale = await site.send('DELETE', '/v2/backends/b', undefined, { 'if-match': '"0"' })
  const unsure = await site.send('DELETE', '/v2/backends/b?dryRun=perhaps')

  assert.deepEqual([stale.status, unsure.status], [412, 400])
  assert.equal((await site.writer.list('server', 'b')).length, 1)
})

test('a deletion that says dryRun=0 deletes the parts, too, and one that ended early can be repeated', async (t) => {
  const site = await start(t)
  await site.send('POST', '/v2/backends', BACKEND)
  await site.send('POST', '/v2/backends/b/servers', SERVER)

  const deleted = await site.send('DELETE', '/v2/backends/b?dryRun=0')

  assert.equal(deleted.status, 200)
  assert.deepEqual(await site.writer.list('server', 'b'), [])

  await site.send('PUT', '/api/objects/server/b/s', '"http://127.0.0.1:1"')

  assert.equal((await site.send('DELETE', '/v2/backends/b?dryRun=1')).status, 404)
  assert.equal((await site.send('DELETE', '/v2/backends/b')).status, 200)
  assert.equal((await site.send('DELETE', '/v2/backends/b')).status, 404)
  assert.deepEqual(await site.writer.list('server', 'b'), [])
})

test('objects that others wrote under an id that is not valid are shown and deleted, and not written', async (t) => {
  const site = await startObjectsSite(t, {
    layout: 'vulcand',
    endpoints: (service) => vulcandEndpoints({ service, isInForce: () => false }),
  })
  await site.send('POST', '/v2/backends', BACKEND)
  for (const id of ['my fe', 'f\u00e9', '__proto__']) {
    await site.keys.put(`frontends/${id}/frontend`, JSON.stringify(FRONTEND.Frontend), {})
    await site.keys.put(`frontends/${id}/middlewares/a b`, '{"Type":"connlimit"}', {})
  }

  for (const id of ['my fe', 'f\u00e9', '__proto__']) {
    const one = `/v2/frontends/${encodeURIComponent(id)}`
    const shown = await site.send('GET', one)
    assert.equal(shown.status, 200)
    assert.match(await shown.text(), /"Route":"Path/)
    const posted = await site.send('POST', '/v2/frontends', {
      Frontend: { ...FRONTEND.Frontend, Id: id },
    })
    const patched = await site.send('PATCH', one, { Route: 'Path("/x")' })
    assert.deepEqual([posted.status, patched.status], [400, 400])
    const listed = await site.send('GET', `${one}/middlewares`)
    assert.match(await listed.text(), /"Id":"a b"/)
    assert.equal((await site.send('DELETE', `${one}/middlewares/a%20b?dryRun=1`)).status, 200)
    assert.equal((await site.send('DELETE', one)).status, 200)
    assert.equal((await site.send('GET', one)).status, 404)
  }
  assert.deepEqual(await site.writer.list('middleware'), [])
  assert.equal((await site.send('GET', '/v2/frontends/%2e%2e')).status, 404)
})

test('what is no id is not found', async (t) => {
  const site = await start(t)

  for (const id of ['%00', 'a%2fb', 'a%0ab', '__proto__', 'constructor', '*', 'a%20b']) {
    const of = `/v2/backends/${id}`
    for (const [method, path] of [
      ...['hosts', 'listeners', 'backends', 'frontends'].flatMap((kind) => [
        ['GET', `/v2/${kind}/${id}`] as const,
        ['PATCH', `/v2/${kind}/${id}`] as const,
        ['DELETE', `/v2/${kind}/${id}`] as const,
      ]),
      // The others may be those of a backend that is in the registry all the same.
      ...(/%0|%2f/.test(id) ? [['GET', `${of}/servers`] as const] : []),
      ['GET', `/v2/backends/b/servers/${id}`] as const,
    ]) {
      const answer = await site.send(method, path, method === 'PATCH' ? {} : undefined)
      assert.deepEqual(
        [answer.status, await answer.text()],
        [404, '{"message":"Key not found"}'],
        `${method} ${path}`,
      )
    }
  }
})

test('a patch neither moves an object nor names a backend that is missing', async (t) => {
  const site = await start(t)
  await site.send('POST', '/v2/backends', BACKEND)
  await site.send('POST', '/v2/backends/b/servers', SERVER)
  await site.send('POST', '/v2/frontends', FRONTEND)
  const before = await (await site.fetch('/v2/frontends/f')).text()

  for (const [path, patch, status] of [
    ['frontends/f', { BackendId: 'missing' }, 404],
    ['frontends/f', { backendid: 'missing' }, 404],
    ['frontends/f', { Id: 'other' }, 400],
    ['backends/b', { Id: 5 }, 400],
    ['backends/b/servers/s', { Id: 'b/s' }, 400],
    ['frontends/f', { Id: 'f', BackendId: 'b' }, 200],
    ['backends/b/servers/s', { Id: 's' }, 200],
  ] as const) {
    const answer = await site.send('PATCH', `/v2/${path}`, patch)
    assert.equal(answer.status, status, `${path} ${JSON.stringify(patch)}`)
  }
  assert.equal(await (await site.fetch('/v2/frontends/f')).text(), before)
})

test('a TTL that no registry takes is refused with 400', async (t) => {
  const site = await start(t)
  await site.send('POST', '/v2/backends', BACKEND)

  for (const [TTL, status] of [
    ['99999999h', 400],
    ['-1s', 400],
    ['8760h', 200],
  ] as const) {
    const answer = await site.send('POST', '/v2/backends/b/servers', { ...SERVER, TTL })
    assert.equal(answer.status, status, TTL)
  }
})

test('JSON that is nested deeply is refused with 400', async (t) => {
  const site = await start(t)
  await site.send('POST', '/v2/backends', BACKEND)
  const deep = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`

  const patched = await site.send('PATCH', '/v2/backends/b', deep)
  const posted = await site.send('POST', '/v2/backends', `{"Backend":${deep}}`)

  assert.deepEqual([patched.status, posted.status], [400, 400])
  assert.equal(await posted.text(), '{"message":"exceeded max depth"}')
})

test('a value of the registry that is nested deeply is a fault of this object alone', async (t) => {
  const site = await start(t)
  await site.send('POST', '/v2/backends', BACKEND)
  const deep = `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`
  await site.keys.put('backends/x/backend', deep, {})

  const listed = await site.fetch('/api/objects/backend')
  const { objects } = (await listed.json()) as { objects: { id: string; fault?: string }[] }
  const one = await site.fetch('/v2/backends/x')

  assert.equal(listed.status, 200)
  assert.deepEqual(
    objects.map(({ id, fault }) => [id, fault !== undefined]),
    [
      ['b', false],
      ['x', true],
    ],
  )
  assert.equal(one.status, 409)
})

test('web-hooks and headers that authenticate are hidden in every form', async (t) => {
  const site = await start(t)
  await site.send('POST', '/v2/backends', BACKEND)
  await site.send('POST', '/v2/frontends', FRONTEND)
  const condition = 'NetworkErrorRatio() > 0.5'
  const hook = { url: 'http://127.0.0.1:1/SECRET', headers: { 'X-Any': 'SECRET' }, body: 'SECRET' }
  const of = '/api/objects/middleware/f'

  const answers = [
    await site.send('PUT', `${of}/hook`, { kind: 'breaker', condition, onTripped: hook }),
    await site.send('PUT', `${of}/set`, {
      ...{ kind: 'headers', request: { set: { Authorization: 'Bearer SECRET' } } },
    }),
    await site.send('PUT', '/api/objects/backend/h', {
      health: { path: '/', headers: { 'X-Any': 'SECRET' } },
    }),
    await site.send('POST', '/v2/frontends/f/middlewares', {
      Middleware: {
        ...{ Id: 'cb', Type: 'cbreaker' },
        Middleware: {
          Condition: condition,
          Fallback: { Type: 'response', Action: { StatusCode: 400, Body: 'gone' } },
          FallbackDuration: 1e10,
          RecoveryDuration: 1e10,
          CheckPeriod: 1e8,
          OnTripped: {
            Type: 'webhook',
            Action: { URL: 'http://127.0.0.1:1/SECRET', Method: 'POST', Form: { a: ['SECRET'] } },
          },
        },
      },
    }),
    await site.fetch('/api/objects'),
    await site.fetch('/v2/frontends/f/middlewares'),
    await site.fetch('/v2/frontends/f/middlewares/hook'),
  ]

  assert.deepEqual(
    answers.map(({ status }) => status),
    [201, 201, 201, 200, 200, 200, 200],
  )
  for (const answer of answers) assert.doesNotMatch(await answer.text(), /SECRET/)
  assert.doesNotMatch(JSON.stringify(site.logged), /SECRET/)
})

test('vulcand cannot patch a native object of which its form would lose members', async (t) => {
  const site = await start(t)
  await site.send('PUT', '/api/objects/backend/n', { balance: 'random' })
  await site.send('PUT', '/api/objects/server/n/s', '"http://127.0.0.1:1"')

  const lossy = await site.send('PATCH', '/v2/backends/n', {
    Settings: { Timeouts: { Dial: '4s' } },
  })
  const whole = await site.send('PATCH', '/v2/backends/n/servers/s', { URL: 'http://127.0.0.1:2' })

  assert.equal(lossy.status, 409)
  assert.match(await lossy.text(), /PATCH \/api\/objects\/backend\/n/)
  assert.equal(whole.status, 200)
  assert.deepEqual((await site.writer.get({ kind: 'backend', id: 'n' }))?.value, {
    balance: 'random',
  })
})
