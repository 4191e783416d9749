import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { mergePatch } from '../../src/admin/objects/merge-patch.ts'
import { type KeyStore, StoreConflict } from '../../src/providers/store.ts'
import { createAuthority } from '../support/certificates.ts'
import { startObjectsSite } from '../support/objects-api.ts'

const FRONTEND = { route: 'Host("a.test")', backend: 'vote' }

test('an object is created, read, replaced, patched and deleted, each time with its revision', async (t) => {
  const site = await startObjectsSite(t)
  const path = '/api/objects/frontend/vote'

  const created = await site.send('PUT', path, FRONTEND)
  const again = await site.send('PUT', path, FRONTEND)
  const patched = await site.send('PATCH', path, { priority: 5, labels: { team: 'web' } })
  const read = await site.fetch(path)
  const known = await site.fetch(path, {
    headers: { 'if-none-match': read.headers.get('etag') ?? '' },
  })
  const deleted = await site.send('DELETE', path)

  assert.deepEqual([created.status, again.status, patched.status], [201, 200, 200])
  assert.equal(((await again.json()) as { outcome: string }).outcome, 'unchanged')
  assert.equal(again.headers.get('etag'), created.headers.get('etag'))
  assert.equal(read.headers.get('etag'), patched.headers.get('etag'))
  assert.deepEqual(((await read.json()) as { value: object }).value, {
    ...FRONTEND,
    priority: 5,
    labels: { team: 'web' },
  })
  assert.equal(known.status, 304)
  assert.equal(deleted.status, 200)
  assert.equal((await site.fetch(path)).status, 404)
  assert.equal((await site.send('DELETE', path)).status, 404)
  assert.equal((await site.send('PATCH', path, { priority: 1 })).status, 404)
})

test('a write that is refused says which member and why, and changes nothing', async (t) => {
  const site = await startObjectsSite(t)
  await site.send('PUT', '/api/objects/frontend/vote', FRONTEND)
  const bad = { route: 'Hst("a")', backend: 'vote', timeouts: { total: 'soon' }, colour: 1 }

  const refused = await site.send('PUT', '/api/objects/frontend/vote', bad)
  const patched = await site.send('PATCH', '/api/objects/frontend/vote', { route: null })

  const { message, problems } = (await refused.json()) as {
    message: string
    problems: readonly { path: readonly string[] }[]
  }
  assert.equal(refused.status, 422)
  assert.match(message, /^frontend "vote": .*; nothing was changed$/)
  assert.deepEqual(problems.map(({ path }) => path.join('.')).sort(), [
    'colour',
    'route',
    'timeouts.total',
  ])
  assert.equal(patched.status, 422)
  assert.deepEqual((await site.writer.get({ kind: 'frontend', id: 'vote' }))?.value, FRONTEND)
})

test('If-Match and If-None-Match decide whether a write happens', async (t) => {
  const site = await startObjectsSite(t)
  const path = '/api/objects/backend/vote'
  const put = async (value: object, headers: Record<string, string>): Promise<number> =>
    (await site.send('PUT', path, value, headers)).status

  assert.equal(await put({}, { 'if-match': '*' }), 412)
  assert.equal(await put({}, { 'if-none-match': '*' }), 201)
  const etag = (await site.fetch(path)).headers.get('etag') ?? ''
  assert.equal(await put({ balance: 'random' }, { 'if-none-match': '*' }), 412)
  assert.equal(await put({ balance: 'random' }, { 'if-match': `"x", ${etag}` }), 200)
  assert.equal(await put({ balance: 'peak-ewma' }, { 'if-match': etag }), 412)
  assert.equal(await put({ balance: 'peak-ewma' }, { 'if-match': `W/${etag}` }), 412)
  const lost = await site.send('DELETE', path, undefined, { 'if-match': etag })
  assert.equal(lost.status, 412)
  assert.equal(lost.headers.get('etag'), (await site.fetch(path)).headers.get('etag'))
})

test('a dry run says what would happen and writes nothing, and a misspelt one is refused', async (t) => {
  const site = await startObjectsSite(t)
  await site.send('PUT', '/api/objects/backend/vote', { balance: 'random' })

  const dry = await site.send('PUT', '/api/objects/backend/vote?dryRun=1', { balance: 'peak-ewma' })
  const gone = await site.send('DELETE', '/api/objects/backend/vote?dryRun=1')
  const misspelt = await site.send('PUT', '/api/objects/backend/vote?dryrun=1', {})

  assert.deepEqual(((await dry.json()) as { changes: object }).changes, [
    { path: 'balance', from: '"random"', to: '"peak-ewma"' },
  ])
  assert.equal(gone.status, 200)
  assert.equal(misspelt.status, 400)
  assert.deepEqual((await site.writer.get({ kind: 'backend', id: 'vote' }))?.value, {
    balance: 'random',
  })
})

test('an object with a time to live expires, and a patch keeps that time', async (t) => {
  const site = await startObjectsSite(t)
  const path = '/api/objects/server/vote/v1'

  await site.send('PUT', `${path}?ttl=1h`, 'http://10.0.0.1:80'.replace(/.*/, '"$&"'))
  await site.send('PATCH', path, { weight: 2 })

  const written = await site.writer.get({ kind: 'server', id: 'vote/v1' })
  assert.deepEqual(written?.value, { url: 'http://10.0.0.1:80', weight: 2 })
  assert.ok((written?.ttlMs ?? 0) > 3_500_000)
  assert.equal((await site.send('PUT', `${path}?ttl=never`, '"http://10.0.0.1:80"')).status, 400)
})

test('of two patches at a time none is lost', async (t) => {
  const site = await startObjectsSite(t)
  const path = '/api/objects/frontend/vote'
  await site.send('PUT', path, { ...FRONTEND, labels: {} })

  const names = Array.from({ length: 20 }, (_, at) => `l${at}`)
  const statuses = await Promise.all(
    names.map(async (name) => (await site.send('PATCH', path, { labels: { [name]: 'x' } })).status),
  )

  const written = await site.writer.get({ kind: 'frontend', id: 'vote' })
  const { labels } = written?.value as { labels: object }
  assert.deepEqual(new Set(statuses), new Set([200]))
  assert.deepEqual(Object.keys(labels).sort(), names.sort())
})

test('private keys are shown to a proven writer who asks for them, and to no other', async (t) => {
  const tokens = (['read', 'write'] as const).map((role) => ({
    ...{ name: role, role, sha256: hash('sha256', `token-${role}`) },
  }))
  const site = await startObjectsSite(t, { access: { tokens, anonymous: 'write' } })
  const { cert, key } = createAuthority(t).issue('a.test')
  const path = '/api/objects/host/a.test'
  await site.send('PUT', path, { cert, key })
  const get = (query: string, token?: string): Promise<Response> =>
    site.fetch(path + query, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    })

  const plain = await get('')
  const list = await site.fetch('/api/objects')
  assert.equal((await get('?secrets=1')).status, 403)
  assert.equal((await get('?secrets=1', 'token-read')).status, 403)
  const shown = (await (await get('?secrets=1', 'token-write')).json()) as { value: object }

  const value = ((await plain.json()) as { value: object }).value
  assert.deepEqual(value, { cert, key: '(hidden)' })
  assert.doesNotMatch(await list.text(), /PRIVATE/)
  assert.deepEqual(shown.value, { cert, key })
  const back = await site.send('PUT', path, value)
  assert.equal(back.status, 422)
  assert.match(await back.text(), /key is shown as \(hidden\)/)
  assert.equal((await site.send('PATCH', path, { default: true })).status, 200)
  assert.doesNotMatch(JSON.stringify(site.logged), /PRIVATE/)
})

test('each change is one line of the log, with who, what, and what it was', async (t) => {
  const site = await startObjectsSite(t)
  await site.send('PUT', '/api/objects/backend/vote', { balance: 'random' })
  await site.send('PATCH', '/api/objects/backend/vote', { balance: 'peak-ewma' })
  await site.send('PUT', '/api/objects/backend/vote', { balance: 'nothing' })
  await site.send('DELETE', '/api/objects/backend/vote')

  assert.deepEqual(
    site.logged.map(({ message }) => message),
    ['created backend "vote"', 'changed backend "vote"', 'deleted backend "vote"'],
  )
  assert.partialDeepStrictEqual(site.logged[1]?.fields, {
    ...{ who: 'anonymous', from: '127.0.0.1', kind: 'backend', id: 'vote', source: 'store' },
    changes: [{ path: 'balance', from: '"random"', to: '"peak-ewma"' }],
  })
})

test('a server is drained where it is written, in its own key or in its backend', async (t) => {
  const site = await startObjectsSite(t)
  await site.send('PUT', '/api/objects/server/vote/v1', '"http://10.0.0.1:80"')
  await site.send('PUT', '/api/objects/backend/result', { servers: { r1: 'http://10.0.0.2:80' } })

  const own = await site.send('POST', '/api/servers/vote/v1/drain')
  const inline = await site.send('POST', '/api/servers/result/r1/drain')
  const missing = await site.send('POST', '/api/servers/result/r2/drain')

  assert.deepEqual([own.status, inline.status, missing.status], [200, 200, 404])
  const server = await site.writer.get({ kind: 'server', id: 'vote/v1' })
  assert.deepEqual(server?.value, { url: 'http://10.0.0.1:80', drain: true })
  const backend = await site.writer.get({ kind: 'backend', id: 'result' })
  assert.deepEqual(backend?.value, { servers: { r1: { url: 'http://10.0.0.2:80', drain: true } } })
  await site.send('POST', '/api/servers/result/r1/undrain')
  assert.deepEqual((await site.writer.get({ kind: 'backend', id: 'result' }))?.value, {
    servers: { r1: { url: 'http://10.0.0.2:80' } },
  })
})

test("a server that vulcand's API wrote is drained, too, and shown as before", async (t) => {
  const site = await startObjectsSite(t)
  const form = { vulcand: { Id: 'v1', URL: 'http://10.0.0.1:80' } }
  await site.send('PUT', '/api/objects/server/vote/v1', form)

  const drained = await site.send('POST', '/api/servers/vote/v1/drain')
  const during = await site.writer.get({ kind: 'server', id: 'vote/v1' })
  await site.send('POST', '/api/servers/vote/v1/undrain')
  const after = await site.writer.get({ kind: 'server', id: 'vote/v1' })

  assert.equal(drained.status, 200)
  assert.deepEqual(during?.value, { url: 'http://10.0.0.1:80', drain: true })
  assert.deepEqual(after?.value, { url: 'http://10.0.0.1:80' })
})

test('bodies that are no object, and names that are no names, are refused with 4xx', async (t) => {
  const site = await startObjectsSite(t)
  const put = async (path: string, body: string, type = 'application/json'): Promise<number> =>
    (await site.send('PUT', `/api/objects/${path}`, body, { 'content-type': type })).status

  assert.equal(await put('backend/a', '{'), 400)
  assert.equal(await put('backend/a', ''), 400)
  assert.equal(await put('backend/a', 'null'), 422)
  assert.equal(await put('backend/a', '[]'), 422)
  assert.equal(await put('backend/a', '{"__proto__":{}}'), 400)
  assert.equal(await put('backend/a', '{}', 'text/plain'), 415)
  assert.equal(await put('backend/a%2Fb', '{}'), 400)
  assert.equal(await put('backend/%zz', '{}'), 404)
  assert.equal(await put('backend/__proto__', '{}'), 400)
  assert.equal(await put('backed/a', '{}'), 404)
  assert.equal(await put('backend/a', `{"labels":{"a":"${'x'.repeat(1 << 20)}"}}`), 413)
  assert.equal((await site.writer.list(null)).length, 0)
})

test('a write whose answer is lost is 503, and does not say that nothing was changed', async (t) => {
  const lost = (): Promise<never> => Promise.reject(new Error('etcd: no response in time'))
  const site = await startObjectsSite(t, { keys: { ...fakeKeys(), put: lost, delete: lost } })

  for (const method of ['PUT', 'DELETE']) {
    const answer = await site.send(method, '/api/objects/backend/b', { balance: 'random' })

    assert.equal(answer.status, 503)
    assert.match(await answer.text(), /no response in time; it is not known whether it was/)
  }
})

test('a deletion that another write overtakes says which revision there is', async (t) => {
  const overtaken = (): Promise<never> => Promise.reject(new StoreConflict('overtaken'))
  const site = await startObjectsSite(t, { keys: { ...fakeKeys(), delete: overtaken } })

  const answer = await site.send('DELETE', '/api/objects/backend/b', undefined, {
    'if-match': '"1"',
  })

  assert.deepEqual([answer.status, answer.headers.get('etag')], [412, '"2"'])
})

/** One backend, whose revision is another one at each look. */
function fakeKeys(): KeyStore {
  let revision = 0
  return {
    get: (path) => Promise.resolve({ path, text: '{}', revision: String(++revision), ttlMs: null }),
    list: () => Promise.resolve([]),
    put: () => Promise.resolve('1'),
    delete: () => Promise.resolve(true),
    close: () => Promise.resolve(),
  }
}

test('a merge patch is that of RFC 7396', () => {
  const cases: readonly (readonly [target: unknown, patch: unknown, result: unknown])[] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ]
  for (const [target, patch, result] of cases) assert.deepEqual(mergePatch(target, patch), result)
})
